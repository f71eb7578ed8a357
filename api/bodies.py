"""Reading a webhook's body: bounded, and strict about its encoding."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request

#: Far above anything Twilio sends (a body of 1,600 characters and some forty short fields), in bytes.
MAX_BODY_BYTES = 64 * 1024

#: A percent sign that begins no escape (RFC 3986, section 2.1).
_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")

#: Half of a surrogate pair. JSON can escape one, and no encoding has it: it could neither be stored nor sent.
HALF_A_PAIR = re.compile("[\ud800-\udfff]")

#: How deep lists and objects of a JSON body may be in each other. Twilio's are flat. What is accepted is
#: encoded and decoded by workers and pages, and each level takes a frame of their stacks.
MAX_DEPTH = 32

#: Longer numbers than this are greater than anything that is counted here, and Python refuses to read some.
MOST_DIGITS = 30

#: Form fields in the order they came, or the text of a JSON body: what a signature is made over.
Content = Sequence[tuple[str, str]] | str


class BodyTooLarge(Exception):
    """The body is over `MAX_BODY_BYTES`."""


class ClientGone(Exception):
    """The client hung up in the middle of the body. No answer reaches it."""


class BrokenBody(Exception):
    """The body is not what its content type says; the text says how."""


async def read_body(request: Request) -> bytes:
    """Read the body, and stop reading once it is too large.

    Raises:
      BodyTooLarge: it is.
      ClientGone: the client hung up before the whole body was there.
    """
    length = request.headers.get("content-length", "0")
    if length.isascii() and length.isdigit() and (len(length) > MOST_DIGITS or int(length) > MAX_BODY_BYTES):
        raise BodyTooLarge
    body = bytearray()
    try:
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BODY_BYTES:
                raise BodyTooLarge
    except ClientDisconnect as error:
        raise ClientGone from error
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
      BrokenBody: a JSON body that is no object, or one that not every reader of JSON could read again.
    """
    if isinstance(content, str):
        return _object(content)
    payload: dict[str, Any] = {}
    for name, value in content:
        if name not in payload:
            payload[name] = value
        elif isinstance(payload[name], list):
            payload[name].append(value)
        else:
            payload[name] = [payload[name], value]
    return payload


def _object(text: str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
      BrokenBody: it is none, is too deep, or has a number that cannot be written again.
    """
    try:
        payload = json.loads(text)
        if not isinstance(payload, dict):
            raise BrokenBody("the JSON is no object")
        if is_deeper_than(MAX_DEPTH, payload):
            raise BrokenBody(_TOO_DEEP)
        as_text = json.dumps(payload, ensure_ascii=False, allow_nan=False)
    except RecursionError as error:
        raise BrokenBody(_TOO_DEEP) from error
    except ValueError as error:  # no JSON, thousands of digits, or a number that is infinite or none
        raise BrokenBody(f"the JSON cannot be parsed: {error}") from error
    return dict(json.loads(HALF_A_PAIR.sub("\N{REPLACEMENT CHARACTER}", as_text)))


_TOO_DEEP = f"the JSON has lists or objects more than {MAX_DEPTH} levels deep"


def is_deeper_than(levels: int, value: Any) -> bool:
    """Tell whether lists and objects are more than so many levels deep in each other, without recursion."""
    level = [value]
    for _ in range(levels):
        level = [part for each in level for part in _parts(each)]
    return any(isinstance(each, dict | list) for each in level)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
