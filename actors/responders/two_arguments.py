"""Responders of version 0.1, whose `respond` takes the history and what is unanswered."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ..answer import Answer, Usage
from ..conversation import Author, Conversation, Message


class Line(NamedTuple):
    """One thing that was said."""

    author: Author
    text: str


class Completion(NamedTuple):
    """What the model said, and what it cost."""

    text: str
    model: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    def as_answer(self) -> Answer:
        """Make an answer of it."""
        return Answer(self.text, Usage(self.model, self.prompt_tokens, self.completion_tokens))


class TwoArgumentResponder(Protocol):
    """A responder of version 0.1."""

    def respond(self, history: Sequence[Line], unanswered: Sequence[Line]) -> Completion:
        """Write one answer to everything unanswered."""
        ...


class FromTwoArguments:
    """Lets a responder of version 0.1 answer.

    Parameters:
      responder: that responder.
    """

    def __init__(self, responder: TwoArgumentResponder) -> None:
        warnings.warn(
            f"{type(responder).__name__}.respond(history, unanswered) is deprecated: write "
            "respond(conversation), which has both, and return a recado.Answer or a text.",
            DeprecationWarning,
            stacklevel=3,
        )
        self._responder = responder

    def respond(self, conversation: Conversation) -> Answer:
        history, unanswered = map(_lines, (conversation.history, conversation.unanswered))
        return self._responder.respond(history, unanswered).as_answer()


def _lines(messages: Sequence[Message]) -> list[Line]:
    return [Line(message.author, message.text) for message in messages]
