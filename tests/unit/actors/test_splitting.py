"""A text that is too long for one message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.splitting import split


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("Oi", ["Oi"]),
        ("Uma frase. Outra frase.", ["Uma frase.", "Outra frase."]),
        ("linha um é longa\nlinha dois", ["linha um é longa", "linha dois"]),
        ("nothing to pause at here", ["nothing to pause at", "here"]),
        ("x" * 45, ["x" * 20, "x" * 20, "xxxxx"]),
    ],
)
def test_it_is_split_where_a_reader_would_pause(text: str, parts: list[str]) -> None:
    assert split(text, 20, most=5) == parts


def test_what_is_too_much_is_cut_off_visibly() -> None:
    parts = split("palavra " * 40, 20, most=3)

    assert len(parts) == 3
    assert parts[-1].endswith("…")
    assert max(map(len, parts)) <= 20


@given(st.text(min_size=1).filter(str.strip), st.integers(2, 50))
def test_nothing_is_lost_but_blanks(text: str, limit: int) -> None:
    parts = split(text, limit, most=len(text) + 1)

    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(0 < len(part) <= limit for part in parts)
