"""The number of workers that should run: it grows at once, and shrinks slowly."""

from __future__ import annotations

import math
from dataclasses import dataclass

#: One worker stops after fewer workers would have been enough for this long, in seconds.
FEWER_AFTER_S = 120.0

#: The estimate of how long a message takes before one was measured, in seconds.
UNKNOWN_JOB_S = 1.0

#: The weight of a new measurement in the moving average.
_WEIGHT = 0.3


@dataclass(frozen=True, slots=True)
class Load:
    """Describes the work that waits, and the work done since the previous measurement.

    Attributes:
      ready: the number of messages that wait in all queues.
      oldest_wait_s: how long the oldest of them has waited, in seconds.
      done: how many messages all workers finished since the previous measurement.
      busy_s: how long all threads of all workers ran messages since then, in seconds.
      elapsed_s: the time since then, in seconds.
    """

    ready: int
    oldest_wait_s: float
    done: int
    busy_s: float
    elapsed_s: float


class Autoscaler:
    """Computes the number of workers that keeps the wait of messages below a target.

    Parameters:
      least, most: the bounds of the number of workers.
      threads: how many messages one worker handles at a time.
      target_wait_s: how long a message may wait, in seconds.

    Attributes:
      wanted: how many workers should run.
    """

    def __init__(self, *, least: int, most: int, threads: int, target_wait_s: float) -> None:
        self._least = least
        self._most = most
        self._threads = threads
        self._target_wait_s = target_wait_s
        self._job_s: float | None = None
        self._fewer_since: float | None = None
        self.wanted = least

    def update(self, load: Load, now: float) -> int:
        """Take a measurement into account; return how many workers should run.

        Parameters:
          load: the measurement.
          now: its time, in seconds of a monotonic clock.
        """
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
        """Return how many workers can go on with what runs, and finish what waits within the target."""
        job_s = UNKNOWN_JOB_S if self._job_s is None else self._job_s
        busy_threads = load.busy_s / load.elapsed_s if load.elapsed_s > 0 else 0.0
        threads = busy_threads + load.ready * job_s / self._target_wait_s
        needed = math.ceil(threads / self._threads)
        if load.ready and load.oldest_wait_s > self._target_wait_s:
            needed = max(
                needed, self.wanted + 1
            )  # the wait shows that the measured time of a message is too low
        return needed
