"""What is told of Twilio's errors."""

from __future__ import annotations

import pytest

from actors.channels.twilio.errors import ERRORS, Meaning, explained, meaning_of


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (
            "30003",
            "Twilio's error 30003: the phone cannot be reached, see https://www.twilio.com/docs/api/errors/30003",
        ),
        ("12345", "Twilio's error 12345, see https://www.twilio.com/docs/api/errors/12345"),
        (
            "9" * 5_000,
            f"Twilio's error {'9' * 5_000}, see https://www.twilio.com/docs/api/errors/{'9' * 5_000}",
        ),
        ("x", "Twilio's error x, see https://www.twilio.com/docs/api/errors/x"),
    ],
)
def test_an_error_is_explained_where_it_is_known(code: str, text: str) -> None:
    assert explained(code) == text


def test_what_is_not_known_is_permanent() -> None:
    assert meaning_of(None) is meaning_of(12345) is Meaning.PERMANENT


def test_the_table_is_in_order() -> None:
    assert list(ERRORS) == sorted(ERRORS)
