"""How much of the past the model is shown."""

from __future__ import annotations

from collections.abc import Sequence

from ..conversations import Line


def window(history: Sequence[Line], *, max_messages: int, max_characters: int) -> list[Line]:
    """The latest lines that fit both limits, oldest first. A line is taken whole or not at all."""
    kept: list[Line] = []
    room = max_characters
    for line in reversed(history[-max_messages:]):
        room -= len(line.text)
        if room < 0:
            break
        kept.append(line)
    return kept[::-1]
