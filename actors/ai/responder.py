"""What a responder promises. Write your own by meeting this protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from dramatiq.errors import Retry

from ..conversations import Line


class Completion(NamedTuple):
    """What the model said, and what it cost."""

    text: str
    model: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None

    @property
    def tokens(self) -> int | None:
        """All tokens paid for."""
        if self.prompt_tokens is None or self.completion_tokens is None:
            return None
        return self.prompt_tokens + self.completion_tokens


class ResponderUnavailable(Retry):
    """No answer now, perhaps later: too many requests, a timeout, the endpoint's own failure.

    Parameters:
      message: what happened.
      delay: when to try again, in milliseconds, if the endpoint said so; else by backoff.
    """


class ResponderRefused(Exception):
    """No answer to this, ever: the request is wrong, or not allowed. Not worth a retry."""


class Responder(Protocol):
    """Answers what a contact wrote. Called from many threads at once."""

    def respond(self, history: Sequence[Line], unanswered: Sequence[Line]) -> Completion:
        """Write one answer to everything unanswered.

        Parameters:
          history: what was said before, oldest first.
          unanswered: what the contact wrote since; at least one line.

        Raises:
          ResponderUnavailable: to be tried again.
          ResponderRefused: not to be tried again.
        """
        ...
