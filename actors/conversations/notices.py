"""What a store keeps of the events that people are told of: who was told, and who is still to be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

#: How long a store remembers an event, in milliseconds: it is noted once within that time.
REMEMBERED_MS = 3 * 86_400_000


class NotedEvent(NamedTuple):
    """An event that a receiver is to be told of.

    Attributes:
      event_id: names it: noted again, it is the same.
      at: when it happened, in milliseconds since the epoch.
      content: what to tell.
    """

    event_id: str
    at: int
    content: Mapping[str, Any]


class Standing(NamedTuple):
    """How it stands with a receiver. Times are milliseconds since the epoch.

    Attributes:
      not_before: it refused a notice, and is to be tried again then; 0 when it took the last one.
      failures: how many notices it refused in a row.
      told_at: when it took notices lately, ascending.
    """

    not_before: int
    failures: int
    told_at: Sequence[int]


class Taken(NamedTuple):
    """What the caller is to tell a receiver now.

    Attributes:
      events: the oldest first; none while the oldest of all may still be joined by others.
      left_at: when the oldest happened of those that may be told and were not taken, in milliseconds since
        the epoch; None when there are none.
      waiting: how many wait for the end of quiet hours.
      expired: how many were too old to be told, and are gone.
    """

    events: Sequence[NotedEvent]
    left_at: int | None
    waiting: int
    expired: int


class NoticeStore(Protocol):
    """Keeps the events for each receiver. Thread-safe. Every change is durable when the method returns.

    All times are the caller's, in milliseconds since the epoch.
    """

    def note(self, receivers: Sequence[str], event: NotedEvent, *, waits: bool) -> None:
        """Note an event for receivers; for one that has it noted already this changes nothing.

        Parameters:
          receivers: their names.
          event: what happened.
          waits: it is not told in quiet hours.
        """
        ...

    def standing(self, receiver: str, *, since: int) -> Standing:
        """Return how it stands with a receiver, and the notices that it took since then."""
        ...

    def take(
        self,
        receiver: str,
        taker: str,
        *,
        now: int,
        ripe_at: int,
        is_quiet: bool,
        until: int,
        expired_at: int,
    ) -> Taken:
        """Take all that may be told to a receiver now, if some of it happened at `ripe_at` or before.

        What another taker has is left out, until that one's time is over.

        Parameters:
          receiver: its name.
          taker: names the caller, who takes again what it took before a crash.
          now: the time.
          ripe_at: the oldest event has to be as old as this, unless it happened later than `until`: then the
            clock was set back since.
          is_quiet: leave out what waits for the end of quiet hours.
          until: how long the caller has it for itself.
          expired_at: what happened before then is dropped.
        """
        ...

    def settle(self, receiver: str, event_ids: Sequence[str], *, told_at: int) -> None:
        """Note that a receiver took a notice of these events: it is not told of them again."""
        ...

    def give_back(
        self, receiver: str, taker: str, event_ids: Sequence[str], *, not_before: int, failures: int
    ) -> None:
        """Note that a receiver refused a notice of these events: they are to be told later.

        Parameters:
          receiver: its name.
          taker: only what it still has is given back.
          event_ids: what it took.
          not_before: when to try again.
          failures: how many notices were refused in a row, this one included.
        """
        ...
