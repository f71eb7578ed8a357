"""How many messages of a queue a process holds at once."""

from __future__ import annotations

import math
import time
from collections import deque

from .capacity import Capacity
from .records import Delivery, Lease

#: Hold as many messages as would be run in this time, in seconds: long enough to make claims rare,
#: short enough that what waits here is never missed by an idle process elsewhere.
HORIZON_S = 0.05

#: No process holds more of one queue than this, however fast it is.
MAX_HELD = 1_000

#: How much weight the last measurement of the rate has against those before it.
SMOOTHING = 0.5


class PrefetchWindow:
    """Counts what is claimed and not yet settled, and says how many more to claim.

    A fast queue is claimed in large batches, because a commit costs as much as dozens of fast jobs. A slow
    one is claimed message by message, so that no process hoards what an idle one could run. Which it is, is
    told by how many messages were done, and by how many its threads can do when each takes as long as the
    last ones: eight slow ones may end together.

    One consumer claims; many worker threads settle, and do so without a lock: appending to a deque is
    atomic, and a lock that every message takes is where eight threads queue up behind each other.

    Parameters:
      floor: hold at least this many, unless other queues do: the number of worker threads.
      adaptive: grow beyond the floor with the measured rate.
      capacity: the threads that this queue shares with others; None for a queue with threads of its own.

    Attributes:
      extra: how many more than the floor it may hold, by its rate.
      to_release: what a consumer could not give back when it was closed; the next one does.
    """

    def __init__(self, floor: int, *, adaptive: bool = True, capacity: Capacity | None = None) -> None:
        self.floor = max(1, floor)
        self.extra = 0
        self._enough = 1
        self._adaptive = adaptive
        self.to_release: list[Delivery] = []
        self._claimed = 0
        self._waiting: set[Lease] = set()
        self._settled: deque[float | None] = deque()  # how long it took, in seconds; None: it did not run
        self._ran_since = 0
        self._took_since_s = 0.0
        self._rate = 0.0
        self._took_s = 0.0
        self._measured_at = time.monotonic()
        self._capacity = Capacity() if capacity is None else capacity
        self._capacity.join(self)

    @property
    def held(self) -> int:
        """How many messages are claimed and not settled, without those that wait for another party."""
        return self.claimed - len(self._waiting)

    @property
    def claimed(self) -> int:
        """How many messages are claimed and not settled."""
        return self._claimed - len(self._settled)

    def wait_for_room(self, timeout_s: float) -> int:
        """Block until it is worth claiming; return how many, or 0 when time is up.

        Half of what a fast queue may hold has to be free: many threads settle one message each, and one claim
        serves them all. When only the floor is held there is nothing to gather, and one free place is enough.
        """
        self._count()
        self._adapt()
        self._enough = max(1, self.extra // 2)
        if not self.has_room():
            with self._capacity.changed:
                # Before the look: a thread that settles a message after it sees this.
                self._capacity.waiting |= {self}
                self._capacity.changed.wait_for(self.has_room, timeout_s)
                self._capacity.waiting -= {self}
        return self._room() if self.has_room() else 0

    def has_room(self) -> bool:
        """Whether it is worth claiming."""
        enough = self._enough
        return self.floor + self.extra - self.held >= enough and self._capacity.free() >= enough

    def take(self, most: int) -> int:
        """Hold up to so many more messages, before they are claimed; return how many there is room for."""
        with self._capacity.changed:
            count = max(0, min(most, self._room()))
            self._claimed += count
        return count

    def give_back(self, count: int) -> None:
        """So many were taken, and not claimed after all."""
        if count:
            with self._capacity.changed:
                self._claimed -= count
            self._capacity.notify()

    def settled(self, count: int = 1, *, ran: bool = True, took_s: float | None = None) -> None:
        """So many were acked, dead-lettered or put back; or released, which says nothing of their speed.

        Parameters:
          took_s: how long each of them took, in seconds; as long as those before where it is not known.
        """
        took_s = (self._took_s if took_s is None else took_s) if ran else None
        if count == 1:
            self._settled.append(took_s)
        else:
            self._settled.extend([took_s] * count)
        if self._capacity.waiting:
            self._capacity.notify()

    def begin_waiting(self, delivery: Delivery) -> None:
        """Note that a message waits for another party: it takes no thread from others meanwhile.

        An actor's thread calls this, and may be interrupted anywhere: so it takes no lock. Adding to a set is
        atomic. Another thread has to call `notice_waiting` afterwards.
        """
        self._waiting.add(delivery.lease)

    def end_waiting(self, delivery: Delivery) -> None:
        """Note that a message goes on. Harmless for one that does not wait."""
        self._waiting.discard(delivery.lease)

    def notice_waiting(self) -> None:
        """Wake this queue's consumer: there may be room now."""
        if self._capacity.waiting:
            self._capacity.notify()

    def _room(self) -> int:
        return min(self.floor + self.extra - self.held, self._capacity.free())

    def _count(self) -> None:
        count = len(self._settled)
        for _ in range(count):
            took_s = self._settled.popleft()
            if took_s is not None:
                self._ran_since += 1
                self._took_since_s += took_s
        # Up to here `held` was too large: too careful for a moment.
        with self._capacity.changed:
            self._claimed -= count

    def _adapt(self) -> None:
        now = time.monotonic()
        elapsed_s = now - self._measured_at
        if not self._adaptive or elapsed_s < HORIZON_S / 10:
            return
        self._rate += SMOOTHING * (self._ran_since / elapsed_s - self._rate)
        if self._ran_since:
            took_s = self._took_since_s / self._ran_since
            self._took_s += SMOOTHING * (took_s - self._took_s) if self._took_s else took_s
        self._ran_since, self._took_since_s, self._measured_at = 0, 0.0, now
        most = self.floor / self._took_s if self._took_s else math.inf  # a second (Little's law)
        is_slow = self._took_s > HORIZON_S
        ahead = 0 if is_slow else int(min(self._rate, most) * HORIZON_S)
        self.extra = min(ahead, MAX_HELD - self.floor)
