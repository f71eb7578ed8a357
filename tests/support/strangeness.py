"""Texts and bodies that are as strange as a seed makes them, for tests that send them over HTTP."""

from __future__ import annotations

import os
import random

#: What a test makes its requests of, and how many of them. Another seed makes other requests.
SEED = int(os.environ.get("FUZZ_SEED", "20261128"))
REQUESTS = int(os.environ.get("FUZZ_REQUESTS", "500"))

#: What a text, a number, an address or JSON may be that is none.
STRANGE = (
    *("", " ", "\0", "a\0b", "\ufeff", "\u202e", "\N{PILE OF POO}" * 400, "é" * 1_600, "a" * 30_000),
    *("9" * 5_000, "-1", "²", "1e400", "NaN", "Infinity", "0x10", "1_000", "½", "٣"),
    *(
        "[" * 3_000,
        "{" * 3_000,
        "{}",
        "[]",
        "null",
        '"',
        '{"a":',
        '{"type": []}',
        r'{"half": "\ud83d"}',
        '{"data": {"context": 1}}',
    ),
    *("http://[", "https://[::1", "//[", "http://127.0.0.1:1/", "file:///etc/passwd", "https://a:99999999/"),
    *("{{ 7 * 7 }}", "%s%n%d", "${x}", "<script>alert(1)</script>", "'; DROP TABLE reply; --", "../../etc"),
    *("STOP", "stop\0", "HELP", "\r\nX: y", "whatsapp:", "whatsapp:+", "+", "+5511900000001,+5511900000002"),
)

#: What is no form, or only just.
BODIES = (
    *(b"", b"=", b"&" * 5_000, b"%", b"%zz=%", b"\xff\xfe\x00", b"a=1" * 30_000, b"{", b"[" * 9_000),
    *(b"Body=\xc3(&From=%ff", b"Body[]=1&Body[]=2", b'{"Body": "Oi"}'),
)
CONTENT_TYPES = (
    *("application/x-www-form-urlencoded", "application/x-www-form-urlencoded;;", "application/json", ""),
    *("text/plain; charset=utf-99", "multipart/form-data", "multipart/form-data; boundary="),
)


def strange_text(choose: random.Random) -> str:
    """Return a text, some of them with letters of any kind at the end."""
    value = choose.choice(STRANGE)
    if choose.random() < 0.3:
        letters = [chr(choose.choice((*range(1, 256), 0x2028, 0x1F600))) for _ in range(20)]
        value += "".join(letters)
    return value[:30_000]
