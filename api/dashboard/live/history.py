"""Keeps the samples of the last hour in memory, for charts and for problems."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from brokers.records import QueueStats

from .metric_source import MetricTotals, quantile

#: How far back it goes, in seconds.
SPAN_S = 3_600

#: Waits of so many seconds make one point: fewer messages than that and percentiles jump about.
WAITS_OVER_S = 60


class Sample(NamedTuple):
    """Holds what was counted at one moment.

    Attributes:
      at_s: the moment, in seconds since the epoch.
      done: by queue, messages finished since it was made; queues that are not counted are left out.
      waiting: ready messages of all queues.
      oldest_s: how long the oldest of them has waited, in seconds.
      restarts: by the name of a child of the supervisor, how often it was restarted.
      totals: what the metrics said.
    """

    at_s: float
    done: Mapping[str, int]
    waiting: int
    oldest_s: float
    restarts: Mapping[str, int]
    totals: MetricTotals


class Point(NamedTuple):
    """Holds what charts show of one moment."""

    at_s: int
    done_per_s: float | None
    waiting: int
    oldest_s: float
    wait_p50_s: float | None
    wait_p95_s: float | None


class History:
    """Keeps a ring of samples. Thread-safe.

    Parameters:
      every_s: how often a sample is taken, in seconds.
    """

    def __init__(self, every_s: float) -> None:
        self.every_s = every_s
        self._changing = threading.Lock()
        self._samples: deque[Sample] = deque(maxlen=int(SPAN_S / every_s) + 1)

    def add(
        self, at_s: float, stats: Sequence[QueueStats], restarts: Mapping[str, int], totals: MetricTotals
    ) -> None:
        """Add a sample."""
        dues_s = [queue.seconds_since(queue.oldest_due_at) for queue in stats]
        sample = Sample(
            at_s=at_s,
            done={queue.queue: queue.done for queue in stats if queue.done is not None},
            waiting=sum(queue.ready for queue in stats),
            oldest_s=max((due_s for due_s in dues_s if due_s is not None), default=0.0),
            restarts=restarts,
            totals=totals,
        )
        with self._changing:
            self._samples.append(sample)

    def points(self, *, since_s: float = 0.0) -> Sequence[Point]:
        """Return what charts show, oldest first.

        Parameters:
          since_s: only what came after this, in seconds since the epoch.
        """
        samples = self._all()
        first = next((at for at, sample in enumerate(samples) if sample.at_s > since_s), len(samples))
        return [self._point(samples, at) for at in range(first, len(samples))]

    def stalled_s(self, queue: str) -> float:
        """Return for how long no message of a queue was finished, as far as is known, in seconds."""
        samples = self._all()
        last = samples[-1].done.get(queue) if samples else None
        if last is None:
            return 0.0
        still_at_s = samples[-1].at_s
        for sample in reversed(samples):
            if sample.done.get(queue) != last:
                break
            still_at_s = sample.at_s
        return samples[-1].at_s - still_at_s

    def restarts(self, *, within_s: float) -> Mapping[str, int]:
        """Return how often each child was restarted within the last `within_s` seconds."""
        return self._increase(within_s, lambda sample: sample.restarts)

    def webhooks(self, *, within_s: float) -> Mapping[str, int]:
        """Return how many webhooks came in within the last `within_s` seconds, by outcome."""
        return self._increase(within_s, lambda sample: sample.totals.webhooks)

    def _increase(self, within_s: float, of: Callable[[Sample], Mapping[str, int]]) -> Mapping[str, int]:
        samples = self._all()
        if not samples:
            return {}
        last = samples[-1]
        first = next(sample for sample in samples if sample.at_s >= last.at_s - within_s)
        return {name: count - of(first).get(name, 0) for name, count in of(last).items()}

    def _all(self) -> Sequence[Sample]:
        with self._changing:
            return tuple(self._samples)

    def _point(self, samples: Sequence[Sample], at: int) -> Point:
        sample = samples[at]
        look_back = max(1, round(WAITS_OVER_S / self.every_s))
        before = samples[max(0, at - look_back)].totals.waits if at else sample.totals.waits
        waits = [quantile(share, before, sample.totals.waits) for share in (0.5, 0.95)]
        return Point(
            int(sample.at_s),
            _rate(samples[at - 1], sample) if at else None,
            sample.waiting,
            round(sample.oldest_s, 1),
            *(None if wait is None else round(wait, 4) for wait in waits),
        )


def _rate(before: Sample, after: Sample) -> float | None:
    """Return how many messages were finished a second; None where the engine does not count them."""
    known = after.done.keys() & before.done.keys()
    elapsed_s = after.at_s - before.at_s
    if not known or elapsed_s <= 0:
        return None
    done = sum(max(0, after.done[queue] - before.done[queue]) for queue in known)
    return round(done / elapsed_s, 2)
