"""The limits of use: a healthy child that reaches one of them is replaced."""

from __future__ import annotations

from dataclasses import dataclass

from .cause import Cause

#: Memory counts as too high after this many samples in a row, so that a short peak changes nothing.
SAMPLES = 3


@dataclass(frozen=True, slots=True)
class UsageLimits:
    """Bounds what a worker may use up. None means: no limit.

    Attributes:
      memory_bytes: resident memory above which the worker is replaced.
      hard_memory_bytes: resident memory above which the worker is killed at once.
      age_s: the age at which the worker is replaced, in seconds.
      jobs: the number of messages after which the worker is replaced.
    """

    memory_bytes: int | None = None
    hard_memory_bytes: int | None = None
    age_s: float | None = None
    jobs: int | None = None


class ChildUsage:
    """Compares what one child has used up with its limits.

    Parameters:
      limits: the limits of the child.
    """

    def __init__(self, limits: UsageLimits) -> None:
        self._limits = limits
        self._samples_over = 0

    def sample(self, rss_bytes: int) -> None:
        """Note the child's resident memory."""
        limit = self._limits.memory_bytes
        self._samples_over = self._samples_over + 1 if limit is not None and rss_bytes > limit else 0

    def is_over_the_hard_limit(self, rss_bytes: int) -> bool:
        """Return whether the child must be killed for its resident memory."""
        limit = self._limits.hard_memory_bytes
        return limit is not None and rss_bytes > limit

    def exceeded(self, *, age_s: float, jobs: int) -> Cause | None:
        """Return the limit for which the child should be replaced, or None.

        Parameters:
          age_s: the child's age, in seconds.
          jobs: how many messages the child has finished.
        """
        if self._samples_over >= SAMPLES:
            limit_mb = (self._limits.memory_bytes or 0) / 1e6
            return Cause("memory", f"memory over {limit_mb:,.0f} MB in {SAMPLES} samples")
        if self._limits.age_s is not None and age_s >= self._limits.age_s:
            return Cause("age", f"age over {self._limits.age_s:g} s")
        if self._limits.jobs is not None and jobs >= self._limits.jobs:
            return Cause("jobs", f"{jobs:,} messages done")
        return None
