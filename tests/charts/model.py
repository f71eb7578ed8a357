"""A responder with good and bad moments, for a picture that has something to show."""
# ruff: noqa: S311  chance makes a picture here, and no secret

from __future__ import annotations

import random
import time
from pathlib import Path

from recado import (
    Answer,
    Conversation,
    Responder,
    ResponderRefused,
    ResponderUnavailable,
    Settings,
    Usage,
)

#: While this file is in the working directory, the model is away.
AWAY = "model-is-away"


class Moody:
    """Takes from half a second to some seconds, is away when told to be, and refuses one text in 200."""

    def respond(self, conversation: Conversation) -> Answer:
        if Path(AWAY).exists():
            raise ResponderUnavailable("The model is away")
        time.sleep(min(12.0, random.lognormvariate(0.1, 0.6)))
        if random.random() < 0.005:
            raise ResponderRefused("The model refuses this text")
        words = sum(len(line.text.split()) for line in [*conversation.history, *conversation.unanswered])
        return Answer("Abrimos das 9h às 18h.", Usage("a-model", words + 60, 10))


def moody(_settings: Settings) -> Responder:
    return Moody()
