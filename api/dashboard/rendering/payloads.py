"""Reads payloads for pages. A payload may be any bytes, of any program that enqueues."""

from __future__ import annotations

import json
from typing import Any

from api.bodies import is_deeper_than

from ..language.catalogue import gettext, translatable
from .masking import mask, mask_text

#: How deep lists and objects may be in each other. What reads them takes a frame of its stack for each level,
#: and no stack has a thousand. A webhook's message has five, each message of a pipeline two more.
MAX_DEPTH = 100

#: What a page shows in the place of what cannot be masked field by field.
NOT_SHOWN = translatable(
    "[JSON that is too deep, or has a number that is too long, to be shown masked: reveal it to read it]"
)


class Unmaskable(Exception):
    """Refuses JSON that is too deep, or has numbers that are too long, to be read field by field."""


def parse(payload: bytes) -> Any:
    """Parse a payload.

    Raises:
      json.JSONDecodeError, UnicodeDecodeError: it is no JSON.
      Unmaskable: it is, and a page can do nothing with it.
    """
    try:
        value = json.loads(payload)
    except (json.JSONDecodeError, UnicodeDecodeError):
        raise
    except (RecursionError, ValueError) as error:  # Python reads no number of thousands of digits
        raise Unmaskable from error
    if is_deeper_than(MAX_DEPTH, value):
        raise Unmaskable
    return value


def message_of(payload: bytes) -> dict[str, Any]:
    """Return the fields of a message; none when the payload is no message."""
    try:
        body = parse(payload)
    except (ValueError, Unmaskable):
        return {}
    return body if isinstance(body, dict) and isinstance(body.get("options", {}), dict) else {}


def readable(payload: bytes, *, reveal: bool = False) -> str:
    """Return a payload as people read it: JSON indented, anything else as the text it is.

    Parameters:
      payload: of a message.
      reveal: as it is, nothing masked.
    """
    text = payload.decode(errors="replace")
    try:
        value = parse(payload)
    except Unmaskable:
        return text if reveal else gettext(NOT_SHOWN)
    except ValueError:
        return text if reveal else mask_text(text)
    return json.dumps(value if reveal else mask(value), indent=2, ensure_ascii=False)
