"""Which sent replies the channel is asked about, because it told no end of their delivery."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..reply import Reply

#: How long a reply is kept open at most that no process looks at, in milliseconds.
LONGEST_OPEN_MS = 2 * 86_400_000


class DeliveryChecks(Protocol):
    """Thread-safe. A reply is open from its sending until a final status comes, or its last look was taken.

    Looks are times after the sending, in milliseconds, ascending.
    """

    def begin(self, *, every_ms: int) -> bool:
        """Return whether the caller is to look now: one process of all machines in so many milliseconds."""
        ...

    def take(self, looks_ms: Sequence[int]) -> Reply | None:
        """Return the open reply whose look was due first; None when none is due.

        The look is noted, so that no other process gets the reply for it, and the next one is the first that
        is still to come. What was due longer ago than the last look comes after the sending is passed over.
        """
        ...

    def put_back(self, reply_id: str, looks_ms: Sequence[int], *, delay_ms: int) -> None:
        """Have a reply looked at again in so many milliseconds, unless its last look was due long ago."""
        ...

    def close(self, reply_id: str) -> None:
        """Look at a reply no more."""
        ...
