"""What a responder promises. Write your own by meeting this protocol."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from dramatiq.errors import Retry

from ..answer import Answer
from ..conversation import Conversation

#: What a responder may return: an answer, its text alone, or None to keep silent.
Response = Answer | str | None


class ResponderUnavailable(Retry):
    """No answer now, perhaps later: too many requests, a timeout, the endpoint's own failure.

    Parameters:
      message: what happened.
      delay: when to try again, in milliseconds, if the endpoint said so; else by backoff.
      overloaded: it has too much to do: fewer calls at a time may help. With a delay, all calls pause.
    """

    def __init__(self, message: str = "", delay: int | None = None, *, overloaded: bool = False) -> None:
        super().__init__(message, delay)
        self.overloaded = overloaded


class ResponderRefused(Exception):
    """No answer to this, ever: the request is wrong, or not allowed. Not worth a retry."""


class Responder(Protocol):
    """Answers what a contact wrote. Many threads call it at once."""

    def respond(self, conversation: Conversation) -> Response | Awaitable[Response]:
        """Write one answer to everything unanswered. It may be a coroutine function.

        Parameters:
          conversation: what was said, and by whom.

        Raises:
          ResponderUnavailable: to be tried again, as after any other exception.
          ResponderRefused: not to be tried again.
        """
        ...
