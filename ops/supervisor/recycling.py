"""When a healthy child has served long enough."""

from __future__ import annotations

from dataclasses import dataclass

from .cause import Cause

#: So many samples in a row over the limit: a moment's peak is none of ours.
SAMPLES = 3


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may use up. What is None is not limited.

    Attributes:
      memory_bytes: resident memory above which it is replaced.
      hard_memory_bytes: resident memory above which it is killed at once.
      age_s: its age in seconds at which it is replaced.
      jobs: messages after which it is replaced.
    """

    memory_bytes: int | None = None
    hard_memory_bytes: int | None = None
    age_s: float | None = None
    jobs: int | None = None


class Wear:
    """What one child has used up.

    Parameters:
      limits: what it may.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._samples_over = 0

    def sample(self, rss_bytes: int) -> None:
        """Note its resident memory now."""
        limit = self._limits.memory_bytes
        self._samples_over = self._samples_over + 1 if limit is not None and rss_bytes > limit else 0

    def is_over_the_hard_limit(self, rss_bytes: int) -> bool:
        limit = self._limits.hard_memory_bytes
        return limit is not None and rss_bytes > limit

    def is_worn(self, *, age_s: float, jobs: int) -> Cause | None:
        """Why it should be replaced; None while it should not."""
        if self._samples_over >= SAMPLES:
            limit_mb = (self._limits.memory_bytes or 0) / 1e6
            return Cause("memory", f"memory over {limit_mb:,.0f} MB in {SAMPLES} samples")
        if self._limits.age_s is not None and age_s >= self._limits.age_s:
            return Cause("age", f"age over {self._limits.age_s:g} s")
        if self._limits.jobs is not None and jobs >= self._limits.jobs:
            return Cause("jobs", f"{jobs:,} messages done")
        return None
