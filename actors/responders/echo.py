"""The embedded default: no model, no network. It says what it is."""

from __future__ import annotations

import time

from ..answer import Answer, Usage
from ..conversation import Conversation


class EchoResponder:
    """Repeats what was written, so that the rest of the system can be tried without a model.

    Parameters:
      delay_s: how long it pretends to think, in seconds.
    """

    def __init__(self, *, delay_s: float = 0.0) -> None:
        self._delay_s = delay_s

    def respond(self, conversation: Conversation) -> Answer:
        if self._delay_s:
            time.sleep(self._delay_s)
        said = "\n".join(message.text for message in conversation.unanswered)
        return Answer(f"[echo, not an AI] {said}", Usage("echo"))
