"""When it is too much."""

from __future__ import annotations

from collections import deque


class Intensity:
    """Counts events within a sliding period, as Erlang/OTP's supervisors do.

    Parameters:
      limit: how many are accepted within a period.
      period_s: its length, in seconds.
    """

    def __init__(self, limit: int, period_s: float) -> None:
        self._limit = limit
        self._period_s = period_s
        self._events: deque[float] = deque()

    def is_exceeded(self, now: float) -> bool:
        """Count one more, at `now`: whether it is one too many."""
        self._events.append(now)
        while self._events[0] <= now - self._period_s:
            self._events.popleft()
        return len(self._events) > self._limit

    def reset(self) -> None:
        self._events.clear()
