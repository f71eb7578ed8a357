"""Tells a receiver all that waits for it, in one notice, when it may be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from brokers.clock import now_ms

from ..conversations.notices import NoticeStore, Taken
from ..metrics import metrics
from .quiet_hours import QuietHours
from .receiver import Receiver
from .wording import Occurrence, worded

logger = structlog.get_logger(__name__)

HOUR_MS = 3_600_000

#: An event that no receiver took within this time is not told any more, in milliseconds. Quiet hours, which
#: may take nearly a day, and a day on which the receiver is away, fit into it.
TOLD_WITHIN_MS = 48 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Rules:
    """When people may be told.

    Attributes:
      group_ms: what happens within this time of an event is told with it, in milliseconds.
      max_per_hour: how many notices a receiver gets in an hour.
      quiet_hours: when only what cannot wait is told; None: never.
      first_pause_ms, longest_pause_ms: until a receiver that refused is tried again; it doubles each time.
      longest_run_ms: how long telling may take before another message may do it, in milliseconds.
    """

    group_ms: int
    max_per_hour: int
    quiet_hours: QuietHours | None
    first_pause_ms: int
    longest_pause_ms: int
    longest_run_ms: int


class Notifier:
    """Tells receivers what waits for them.

    Parameters:
      store: has the events.
      receivers: by name.
      rules: when they may be told.
      clock: milliseconds since the epoch.
    """

    def __init__(
        self,
        store: NoticeStore,
        receivers: Mapping[str, Receiver],
        rules: Rules,
        *,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._store = store
        self._receivers = receivers
        self._rules = rules
        self._clock = clock

    def tell(self, receiver: str, *, taker: str) -> int | None:
        """Tell a receiver what it may be told now.

        Parameters:
          receiver: its name. One that is not in NOTIFY_URLS any more is told nothing.
          taker: names the caller; the same after a crash.

        Returns when the caller has to come back, in milliseconds since the epoch; None when nothing is left
        to be told, or another caller is about to tell it.
        """
        if receiver not in self._receivers:
            return None
        now = self._clock()
        standing = self._store.standing(receiver, since=now - HOUR_MS)
        # What is later than it can be was noted by a clock that was set back since: nobody waits for it.
        if now < standing.not_before <= now + self._rules.longest_pause_ms:
            return standing.not_before
        told_at = [at for at in standing.told_at if at <= now + self._rules.longest_run_ms]
        if len(told_at) >= self._rules.max_per_hour:  # what comes meanwhile is told in one
            return told_at[-self._rules.max_per_hour] + HOUR_MS
        quiet_until = None if self._rules.quiet_hours is None else self._rules.quiet_hours.end_after(now)
        taken = self._store.take(
            receiver,
            taker,
            now=now,
            ripe_at=now - self._rules.group_ms,
            is_quiet=quiet_until is not None,
            until=now + self._rules.longest_run_ms,
            expired_at=now - TOLD_WITHIN_MS,
        )
        self._count_expired(receiver, taken)
        if taken.events and (again_at := self._send(receiver, taker, taken, standing.failures)) is not None:
            return again_at
        if taken.left_at is not None:
            return taken.left_at + self._rules.group_ms
        return quiet_until if taken.waiting else None

    def _send(self, receiver: str, taker: str, taken: Taken, failures: int) -> int | None:
        """Send what was taken; return when to try again, or None when the receiver took it."""
        notice = worded([Occurrence(**event.content) for event in taken.events])
        to, ids = self._receivers[receiver], [event.event_id for event in taken.events]
        if to.tell(notice.title, notice.text):
            self._store.settle(receiver, ids, told_at=self._clock())
            metrics().notices.labels("told").inc()
            logger.info("people were told", receiver=to.label, events=len(ids))
            return None
        pause_ms = min(self._rules.longest_pause_ms, self._rules.first_pause_ms << min(failures, 30))
        again_at = self._clock() + pause_ms
        self._store.give_back(receiver, taker, ids, not_before=again_at, failures=failures + 1)
        metrics().notices.labels("refused").inc()
        logger.warning(
            "a notice was not taken: it is kept, and tried again",
            receiver=to.label,
            events=len(ids),
            retry_in_s=pause_ms / 1_000,
        )
        return again_at

    def _count_expired(self, receiver: str, taken: Taken) -> None:
        if taken.expired:
            metrics().notices.labels("lost").inc(taken.expired)
            label, hours = self._receivers[receiver].label, TOLD_WITHIN_MS // HOUR_MS
            logger.error(
                f"events that nobody could be told of within {hours} h are not told any more",
                receiver=label,
                events=taken.expired,
            )
