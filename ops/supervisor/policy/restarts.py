"""The rules for a child that died: it is started again after a pause, or given up."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from ops.exit_codes import MISCONFIGURED, NO_CONNECTION

from .child_spec import ChildSpec

#: The first pause before a restart, and the longest, in seconds.
BASE_S, CAP_S = 0.5, 30.0

#: The longest pause after a death at work, in seconds. Other messages wait for this worker meanwhile.
AT_WORK_CAP_S = 0.5

#: A child that was ready for this long was healthy, in seconds: its next failure counts as the first.
HEALTHY_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Death:
    """Describes how a child ended.

    Attributes:
      code: the exit code, or minus the number of the signal that killed the child.
      ready_s: how long the child had been ready, in seconds; None when it never was.
      at_work: whether the child was running messages.
    """

    code: int
    ready_s: float | None
    at_work: bool

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return signal.Signals(-self.code).name
        except ValueError:  # a real-time signal has no name
            return f"signal {-self.code}"


@dataclass(frozen=True, slots=True)
class RestartAfter:
    """Start another child after a pause, in seconds."""

    pause_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Start no other child before a reload. The reason is for the operator."""

    reason: str


#: The consequence of a death.
Verdict = RestartAfter | GiveUp


class Backoff:
    """Computes pauses that double with each failure. Each is drawn between 0 and its maximum (full jitter).

    Parameters:
      base_s: the maximum of the first pause, in seconds.
      cap_s: the maximum of any pause, in seconds.
      random: returns numbers from 0 to 1.
    """

    def __init__(self, base_s: float, cap_s: float, random: Callable[[], float]) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random
        self._failures = 0

    def next_s(self) -> float:
        """Count a failure; return the pause that follows it, in seconds."""
        longest_s = min(self._cap_s, self._base_s * 2.0 ** min(self._failures, 32))
        self._failures += 1
        return longest_s * self._random()

    def reset(self) -> None:
        """Forget the failures: the next one is the first."""
        self._failures = 0


class RestartLimit:
    """Counts restarts within a sliding period. This is the restart intensity of Erlang/OTP's supervisors.

    Parameters:
      limit: how many restarts are accepted within a period.
      period_s: the length of the period, in seconds.
    """

    def __init__(self, limit: int, period_s: float) -> None:
        self._limit = limit
        self._period_s = period_s
        self._restarted_at: deque[float] = deque()

    def is_exceeded(self, now: float) -> bool:
        """Count a restart at `now`, in seconds; return whether that is one too many."""
        self._restarted_at.append(now)
        while self._restarted_at[0] <= now - self._period_s:
            self._restarted_at.popleft()
        return len(self._restarted_at) > self._limit

    def reset(self) -> None:
        """Forget the restarts counted so far."""
        self._restarted_at.clear()


class RestartPolicy:
    """Judges the deaths of one slot's children.

    Two kinds of deaths do not count against the limit:

    - A worker's death at work. The queue counts that death for the message that may have caused it, and sets
      such a message aside before long. A worker that is given up would leave all other messages waiting.
    - A death because the queue cannot be reached at start. The supervisor tries again until it can.

    Parameters:
      spec: the kind of the children.
      random: returns numbers from 0 to 1.
    """

    def __init__(self, spec: ChildSpec, random: Callable[[], float]) -> None:
        self._spec = spec
        self._limit = RestartLimit(spec.max_restarts, spec.period_s)
        self._backoff = Backoff(BASE_S, CAP_S, random)
        self._random = random

    def judge(self, death: Death, now: float) -> Verdict:
        """Decide what follows from a death that the supervisor did not ask for.

        Parameters:
          death: how the child ended.
          now: the time, in seconds of a monotonic clock.
        """
        was_ready = death.ready_s is not None
        if death.code == MISCONFIGURED and not was_ready:
            return GiveUp("its settings or imports are wrong: its log says what")
        if death.ready_s is not None and death.ready_s >= HEALTHY_AFTER_S:
            self._backoff.reset()
        if death.at_work and self._spec.work_counts_deaths:
            return RestartAfter(AT_WORK_CAP_S * self._random())
        if death.code == NO_CONNECTION and not was_ready:
            return RestartAfter(self._backoff.next_s())
        if self._limit.is_exceeded(now):
            limit = f"{self._spec.max_restarts} restarts in {self._spec.period_s:g} s"
            return GiveUp(f"more than {limit}; the last end was {death}")
        return RestartAfter(self._backoff.next_s())

    def reset(self) -> None:
        """Forget the deaths judged so far."""
        self._limit.reset()
        self._backoff.reset()
