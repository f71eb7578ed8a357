"""Reading a webhook's body: bounded, and strict about its encoding."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

#: Far above anything Twilio sends (a body of 1,600 characters and some forty short fields), in bytes.
MAX_BODY_BYTES = 64 * 1024

#: A percent sign that begins no escape (RFC 3986, section 2.1).
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

#: Half of a surrogate pair. JSON can escape one, and no encoding has it: it could neither be stored nor sent.
_HALF_A_PAIR = re.compile("[\ud800-\udfff]")

#: Form fields in the order they came, or the text of a JSON body: what a signature is made over.
Content = Sequence[tuple[str, str]] | str


class BodyTooLarge(Exception):
    """The body is over `MAX_BODY_BYTES`."""


class BrokenBody(Exception):
    """The body is not what its content type says; the text says how."""


async def read_body(request: Request) -> bytes:
    """Read the body, and stop reading once it is too large.

    Raises:
      BodyTooLarge: it is.
    """
    length = request.headers.get("content-length", "0")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise BodyTooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
    return bytes(body)


def parse(body: bytes, content_type: str) -> Content:
    """Make fields or text of a body.

    Raises:
      BrokenBody: it cannot be.
    """
    kind = content_type.partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            return body.decode()
        if kind != "application/x-www-form-urlencoded":
            raise BrokenBody(f"the content type must be application/x-www-form-urlencoded, and is {kind!r}")
        if _BROKEN_ESCAPE.search(body):
            raise BrokenBody("the form has a % that begins no escape")
        return parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=bool(body), errors="strict")
    except UnicodeDecodeError as error:
        raise BrokenBody("the body is not UTF-8") from error
    except ValueError as error:
        raise BrokenBody(f"the form cannot be parsed: {error}") from error


def to_payload(content: Content) -> dict[str, Any]:
    """All parameters by name; one that was repeated keeps its values in a list.

    Raises:
      BrokenBody: a JSON body that is no object.
    """
    if isinstance(content, str):
        try:
            payload = json.loads(content)
        except json.JSONDecodeError as error:
            raise BrokenBody(f"the JSON cannot be parsed: {error}") from error
        if not isinstance(payload, dict):
            raise BrokenBody("the JSON is no object")
        as_text = json.dumps(payload, ensure_ascii=False)
        return dict(json.loads(_HALF_A_PAIR.sub("\N{REPLACEMENT CHARACTER}", as_text)))
    payload = {}
    for name, value in content:
        if name not in payload:
            payload[name] = value
        elif isinstance(payload[name], list):
            payload[name].append(value)
        else:
            payload[name] = [payload[name], value]
    return payload
