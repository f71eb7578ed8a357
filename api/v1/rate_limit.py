"""Limits how many requests a token may make."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class RateLimit:
    """A token bucket for each name. It holds a minute's requests, and is filled evenly.

    It is this process's alone, and asked from the event loop only.

    Parameters:
      per_minute: how many requests a name may make in a minute.
      clock: seconds, monotonic.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._size = float(per_minute)
        self._per_s = per_minute / 60
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, name: str) -> int:
        """Count a request, and return 0; or count none, and return how long to wait, in whole seconds."""
        now = self._clock()
        level, at = self._buckets.get(name, (self._size, now))
        level = min(self._size, level + (now - at) * self._per_s)
        allowed = level >= 1
        self._buckets[name] = (level - 1 if allowed else level, now)
        return 0 if allowed else max(1, math.ceil((1 - level) / self._per_s))
