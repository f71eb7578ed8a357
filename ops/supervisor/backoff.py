"""How long to wait before the next try."""

from __future__ import annotations

from collections.abc import Callable


class Backoff:
    """Pauses that double with each failure, each drawn between nothing and all of it ("full jitter").

    Parameters:
      base_s: the first pause at most, in seconds.
      cap_s: any pause at most, in seconds.
      random: gives numbers from 0 to 1.
    """

    def __init__(self, base_s: float, cap_s: float, random: Callable[[], float]) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random
        self._failures = 0

    def next_s(self) -> float:
        """One failure more: how long to wait now, in seconds."""
        longest_s = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return longest_s * self._random()

    def reset(self) -> None:
        """All is well: the next failure is the first."""
        self._failures = 0
