"""How much of the past the model is shown."""

from __future__ import annotations

from collections.abc import Sequence

from ..conversation import Message


def window(history: Sequence[Message], *, max_messages: int, max_characters: int) -> list[Message]:
    """Take the latest messages that fit both limits, oldest first. Each is taken whole or not at all."""
    kept: list[Message] = []
    room = max_characters
    for message in reversed(history[-max_messages:]):
        room -= len(message.text)
        if room < 0:
            break
        kept.append(message)
    return kept[::-1]
