"""As how many messages Twilio counts a text."""

from __future__ import annotations

import pytest

from actors.channels.twilio.segments import segments_of


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("é" * 160, 1),  # in GSM-7
        ("ã" * 70, 1),  # not in it
        ("ã" * 71, 2),
        ("ã" * 134, 2),
        ("ã" * 135, 3),
        ("€" * 80, 1),  # two places each
        ("€" * 81, 2),
        ("a" * 152 + "€" + "a" * 152, 3),  # is not cut in half, and one more does not fit
        ("👋" * 35, 1),
        ("👋" * 36, 2),
    ],
)
def test_a_text_has_so_many_segments(text: str, count: int) -> None:
    assert segments_of(text) == count
