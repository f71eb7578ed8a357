"""How many messages of a queue a process holds at once."""

from __future__ import annotations

import threading
import time
from collections import deque

from .backend import Delivery

#: Hold as many messages as would be run in this time, in seconds: long enough to make claims rare,
#: short enough that what waits here is never missed by an idle process elsewhere.
HORIZON_S = 0.05

#: No process holds more of one queue than this, however fast it is.
MAX_HELD = 1_000

#: How much weight the last measurement of the rate has against those before it.
SMOOTHING = 0.5


class Window:
    """Counts what is claimed and not yet settled, and says how many more to claim.

    A fast queue is claimed in large batches, because a commit costs as much as dozens of fast jobs. A
    slow one is claimed message by message, so that no process hoards what an idle one could run.

    One consumer claims; many worker threads settle, and do so without a lock: appending to a deque is
    atomic, and a lock that every message takes is where eight threads queue up behind each other.

    Parameters:
      floor: always hold at least this many: the number of worker threads.
      adaptive: grow beyond the floor with the measured rate.

    Attributes:
      to_release: what a consumer could not give back when it was closed; the next one does.
    """

    def __init__(self, floor: int, *, adaptive: bool = True) -> None:
        self._floor = max(1, floor)
        self._limit = self._floor
        self._adaptive = adaptive
        self.to_release: list[Delivery] = []
        self._claimed = 0
        self._settled: deque[bool] = deque()  # whether it ran
        self._ran_since = 0
        self._rate = 0.0
        self._measured_at = time.monotonic()
        self._enough = 1
        self._waiting = False
        self._room = threading.Condition()

    @property
    def held(self) -> int:
        """How many messages are claimed and not settled."""
        return self._claimed - len(self._settled)

    def wait_for_room(self, timeout_s: float) -> int:
        """Block until it is worth claiming; return how many, or 0 when time is up.

        Half the window has to be free: many threads settle one message each, and one claim serves them
        all. When only the floor is held there is nothing to gather, and one free place is enough.
        """
        self._count()
        self._adapt()
        self._enough = max(1, (self._limit - self._floor) // 2)
        if not self._has_room():
            with self._room:
                self._waiting = True  # before the look: whoever settles after it sees this
                self._room.wait_for(self._has_room, timeout_s)
                self._waiting = False
        return self._limit - self.held if self._has_room() else 0

    def claimed(self, count: int) -> None:
        """So many more are held."""
        self._claimed += count

    def settled(self, count: int = 1, *, ran: bool = True) -> None:
        """So many were acked, dead-lettered or put back; or released, which says nothing of their speed."""
        for _ in range(count):
            self._settled.append(ran)
        if self._waiting and self._has_room():
            with self._room:
                self._room.notify()

    def _has_room(self) -> bool:
        return self._limit - self.held >= self._enough

    def _count(self) -> None:
        count = len(self._settled)
        for _ in range(count):
            self._ran_since += self._settled.popleft()
        # Up to here `held` was too large: too careful for a moment, and nobody else claims.
        self._claimed -= count

    def _adapt(self) -> None:
        now = time.monotonic()
        elapsed_s = now - self._measured_at
        if not self._adaptive or elapsed_s < HORIZON_S / 10:
            return
        self._rate += SMOOTHING * (self._ran_since / elapsed_s - self._rate)
        self._ran_since, self._measured_at = 0, now
        self._limit = self._floor + min(int(self._rate * HORIZON_S), MAX_HELD - self._floor)
