"""Counts queues no more often than is good for the engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from .backend import QueueBackend
from .records import QueueStats

#: Counting takes at most this share of the time: a million delayed messages take SQLite some 30 ms to count.
SHARE = 0.02

#: No count is used for longer than this, in seconds.
MAX_AGE_S = 5.0


class CachedStats:
    """A backend's `stats`, shared by all in this process who look at them.

    Parameters:
      backend: the engine.
      clock: seconds, monotonic.
    """

    def __init__(self, backend: QueueBackend, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._backend = backend
        self._clock = clock
        self._counting = threading.Lock()
        self._counted: Sequence[QueueStats] = ()
        self._good_until = float("-inf")

    def stats(self) -> Sequence[QueueStats]:
        """Every queue, counted now, or a moment ago where counting takes long.

        Raises:
          EngineError: the engine is away. What was counted before is not shown in its place.
        """
        with self._counting:
            began = self._clock()
            if began >= self._good_until:
                self._counted = self._backend.stats()
                ended = self._clock()
                self._good_until = ended + min(MAX_AGE_S, (ended - began) / SHARE)
            return self._counted

    def invalidate(self) -> None:
        """Count anew at the next look: something was changed that it must show."""
        with self._counting:
            self._good_until = float("-inf")
