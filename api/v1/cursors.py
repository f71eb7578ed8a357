"""Cursors of pages: where the next page begins, as a text that clients hand back unread."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from typing import Annotated

from fastapi import Query
from pydantic import BeforeValidator, Field

from .problems import Refused

#: How many items a page has at most, and when nothing is asked for.
MOST, USUAL = 100, 50

#: The greatest number in a cursor; all are below.
MAX_NUMBER = 2**53

#: The longest cursor, in characters.
MAX_LENGTH = 1_000

Limit = Annotated[int, Query(ge=1, le=MOST, description="how many items the page may have")]


def _whole(value: object) -> object:
    """Read 20.0 as 20: JSON has one kind of number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


LimitInBody = Annotated[
    int, Field(ge=1, le=MOST, description="how many items the page may have"), BeforeValidator(_whole)
]

Cursor = Annotated[str, Field(max_length=MAX_LENGTH, description="`next_cursor` of the page before")]


def to_cursor(*parts: int | str) -> str:
    """Make a cursor of numbers and texts."""
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def from_cursor(cursor: str, *kinds: type[int | str]) -> Sequence[int | str]:
    """Read a cursor that `to_cursor` made of parts of these kinds.

    Raises:
      Refused: it is none.
    """
    try:
        parts = json.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if (
            isinstance(parts, list)
            and [type(part) for part in parts] == list(kinds)
            and all(map(_fits, parts))
        ):
            return parts
    except (binascii.Error, ValueError, RecursionError):  # RecursionError: a thousand brackets
        pass
    raise Refused("invalid", "The cursor is none of this list's. Begin again without a cursor.")


def _fits(part: int | str) -> bool:
    """Whether the stores take it: no number beyond a column's, no half of a surrogate pair."""
    return (
        0 <= part < MAX_NUMBER if isinstance(part, int) else not any("\ud800" <= c <= "\udfff" for c in part)
    )
