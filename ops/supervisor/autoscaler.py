"""How many workers there should be: quickly more, slowly fewer."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: Fewer workers would have done for so long before one goes, in seconds.
FEWER_AFTER_S = 120.0

#: What a message is taken to cost before one was measured, in seconds.
UNKNOWN_JOB_S = 1.0

#: How fast new measurements replace old ones.
_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Load:
    """What was seen at one moment.

    Attributes:
      ready: messages that wait in all queues.
      oldest_wait_s: how long the longest waiting of them has, in seconds.
      done, busy_s: what all workers finished, and the seconds their threads worked, since the last look.
      elapsed_s: since the last look, in seconds.
    """

    ready: int
    oldest_wait_s: float
    done: int
    busy_s: float
    elapsed_s: float


class Autoscaler:
    """Finds the number of workers that keeps waits short.

    Parameters:
      least, most: workers there are to be, always and at most.
      threads: messages one worker handles at a time.
      target_wait_s: how long a message may wait, in seconds.
    """

    def __init__(self, *, least: int, most: int, threads: int, target_wait_s: float) -> None:
        self._least = least
        self._most = most
        self._threads = threads
        self._target_wait_s = target_wait_s
        self._job_s: float | None = None
        self._fewer_since: float | None = None
        self.wanted = least

    def look(self, load: Load, now: float) -> int:
        """How many workers are wanted."""
        if load.done:
            measured_s = load.busy_s / load.done
            last_s = measured_s if self._job_s is None else self._job_s
            self._job_s = last_s + _WEIGHT * (measured_s - last_s)
        needed = min(self._most, max(self._least, self._needed(load)))
        if needed >= self.wanted:
            self.wanted = needed
            self._fewer_since = None
        elif self._fewer_since is None:
            self._fewer_since = now
        elif now - self._fewer_since >= FEWER_AFTER_S:
            self.wanted -= 1
            self._fewer_since = now
        return self.wanted

    def _needed(self, load: Load) -> int:
        """Enough threads for what runs now, and to work off what waits within the target."""
        job_s = UNKNOWN_JOB_S if self._job_s is None else self._job_s
        busy_threads = load.busy_s / load.elapsed_s if load.elapsed_s > 0 else 0.0
        threads = busy_threads + load.ready * job_s / self._target_wait_s
        needed = math.ceil(threads / self._threads)
        if load.ready and load.oldest_wait_s > self._target_wait_s:
            needed = max(needed, self.wanted + 1)  # whatever was measured: it is not enough
        return needed
