"""What a sender promises, and what may become of a sending."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .conversations import Reply


class SendError(Exception):
    """The reply was not sent, or may not have been."""


class NotSentYet(SendError):
    """Certainly not sent, and worth another try.

    Parameters:
      message: what happened.
      delay_ms: when to try again, if the other side said so; else by backoff.
    """

    def __init__(self, message: str, *, delay_ms: int | None = None) -> None:
        super().__init__(message)
        self.delay_ms = delay_ms


class NotSentEver(SendError):
    """Certainly not sent, and trying again would change nothing."""


class PerhapsSent(SendError):
    """Nobody here can tell: sending it again could mean sending it twice."""


class Sender(Protocol):
    """Sends replies. Called from many threads at once.

    Attributes:
      not_found_is_not_sent: what `find` does not find was certainly not sent.
    """

    not_found_is_not_sent: bool

    def send(self, reply: Reply) -> str:
        """Send a reply; return the id by which the other side knows it.

        Raises:
          NotSentYet, NotSentEver, PerhapsSent: see there.
        """
        ...

    def find(self, reply: Reply, *, is_known: Callable[[str], bool]) -> str | None:
        """Look on the other side for a reply that was perhaps sent; return its id there, or None.

        Parameters:
          reply: what to look for.
          is_known: whether an id belongs to another reply already.

        Raises:
          NotSentYet: it could not be looked up now.
        """
        ...
