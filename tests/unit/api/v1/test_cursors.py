"""Cursors come back as they were made, and what is none is refused."""

from __future__ import annotations

import base64
import json

import pytest

from api.v1.cursors import MAX_LENGTH, from_cursor, to_cursor
from api.v1.problems import Refused


@pytest.mark.parametrize(
    "parts", [(0, ""), (2**53 - 1, "AC1.SM1"), (1_700_000_000_000, "olá|\u0000\U0001f600")]
)
def test_a_cursor_comes_back_as_it_was_made(parts: tuple[int, str]) -> None:
    cursor = to_cursor(*parts)

    assert cursor.isascii()
    assert set(cursor) & set("+/=&?#% ") == set(), "it stands in a query as it is"
    assert list(from_cursor(cursor, int, str)) == list(parts)


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        *("", "!", "olá", "AAAA", "A", encoded("1"), encoded("null"), encoded("{}"), encoded("[]")),
        *(encoded("[1]"), encoded('["1","a"]'), encoded('[1,"a",2]'), encoded('[true,"a"]')),
        *(encoded('[1.0,"a"]'), encoded('[-1,"a"]'), encoded(f'[{2**53},"a"]'), encoded('[NaN,"a"]')),
        *(encoded(r'[1,"\ud800"]'), encoded("[" * (MAX_LENGTH // 2)), encoded(f'[{"9" * 700},"a"]')),
        base64.b64encode(json.dumps([1, "a"]).encode()).decode() + "\n",
    ],
)
def test_what_is_no_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(Refused) as refusal:
        from_cursor(cursor, int, str)
    assert refusal.value.kind == "invalid"
