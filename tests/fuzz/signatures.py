"""Signatures: each request is checked without an error, and none that was not signed with a key passes."""

from __future__ import annotations

from starlette.datastructures import Headers

from api.bodies import BrokenBody, Content, parse
from api.signature import SignatureCheck

CHECK = SignatureCheck("https://recado.example.com:8443/base", ["12345"], {"key_1": "a secret of ours"})

SEEDS = (
    b"",
    b"webhooks/twilio/messages\n\nRSOYDt4T1cUTdK1PDd93/VVr8B8=\n\nBody=Oi&From=%2B5511900000001&Body=tchau",
    b"base/webhooks/twilio/messages\na=1\n" + b"A" * 28 + b"\nkey=key_1,algorithm=HMAC_SHA256\nBody=Oi",
    b"base/webhooks\na=1&b\n=\nkey=key_2,algorithm=hmac_sha1\n{}",
    b"[x\nbodySHA256=" + b"0" * 64 + b"\nA\nalgorithm=MD5,,=\n{}",
    b"//[\n#&bodySHA256=1\nA\n\n{}",
    b"x:y@z:99999\nbodySHA256=&bodySHA256=2\n\xe9\nkey\n\xff",
)


def fuzz(data: bytes) -> None:
    """Check a request whose path, query, two headers and body are a line each, as a form and as JSON."""
    path, query, signature, settings, body = [*data.split(b"\n", 4), *[b""] * 5][:5]
    headers = Headers(
        raw=[(b"x-twilio-signature", signature), (b"x-twilio-webhooks-signature-settings", settings)]
    )
    for kind in ("application/x-www-form-urlencoded", "application/json"):
        try:
            content: Content = parse(body, kind)
        except BrokenBody:
            continue
        assert not CHECK.is_valid(
            path="/" + path.decode("latin-1"), query=query.decode("latin-1"), headers=headers, content=content
        )
