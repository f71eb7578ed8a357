"""What becomes of a child that died."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass

from .backoff import Backoff
from .errors import MISCONFIGURED, NO_CONNECTION, OK
from .intensity import Intensity
from .spec import ChildSpec

#: The first pause before a restart, and the longest, in seconds.
BASE_S, CAP_S = 0.5, 30.0

#: The longest pause after a death at work, in seconds: the messages of others wait meanwhile.
AT_WORK_CAP_S = 0.5

#: A child that was ready for so long was healthy: its next failure is its first, in seconds.
HEALTHY_AFTER_S = 60.0


@dataclass(frozen=True, slots=True)
class Death:
    """How a child ended, and what it was doing.

    Attributes:
      code: its exit code; minus the signal's number when it was killed by one.
      ready_s: how long it had been ready, in seconds; None when it never was.
      at_work: it was running messages.
    """

    code: int
    ready_s: float | None
    at_work: bool

    def __str__(self) -> str:
        if self.code >= 0:
            return f"exit code {self.code}"
        try:
            return signal.Signals(-self.code).name
        except ValueError:  # a real-time signal, which has no name
            return f"signal {-self.code}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be done. Neither of both: it is over, and that is well.

    Attributes:
      restart_in_s: start another after so many seconds.
      failed: give it up, for this reason.
    """

    restart_in_s: float | None = None
    failed: str | None = None


class Restarts:
    """Judges the deaths of one slot's children.

    Not every death counts against the limit. A worker's at work does not: the message that may have caused
    it counts its victims itself, and is set aside before long, while a slot that was given up would leave
    everybody else's messages waiting. Nor does a queue that is away at start: it is waited for.

    Parameters:
      spec: what the children are to be.
      random: gives numbers from 0 to 1.
    """

    def __init__(self, spec: ChildSpec, random: Callable[[], float]) -> None:
        self._spec = spec
        self._intensity = Intensity(spec.max_restarts, spec.period_s)
        self._backoff = Backoff(BASE_S, CAP_S, random)
        self._random = random

    def after(self, death: Death, now: float) -> Verdict:
        """What follows from a death that nobody had asked for."""
        if self._spec.restart == "temporary" or (self._spec.restart == "transient" and death.code == OK):
            return Verdict()
        was_ready = death.ready_s is not None
        if death.code == MISCONFIGURED and not was_ready:
            return Verdict(failed="its settings or imports are wrong: its log says what")
        if death.ready_s is not None and death.ready_s >= HEALTHY_AFTER_S:
            self._backoff.reset()
        if death.at_work and self._spec.work_counts_deaths:
            return Verdict(restart_in_s=AT_WORK_CAP_S * self._random())
        if death.code == NO_CONNECTION and not was_ready:
            return Verdict(restart_in_s=self._backoff.next_s())
        if self._intensity.is_exceeded(now):
            limit = f"{self._spec.max_restarts} restarts in {self._spec.period_s:g} s"
            return Verdict(failed=f"more than {limit}; the last end was {death}")
        return Verdict(restart_in_s=self._backoff.next_s())

    def forget(self) -> None:
        """A new beginning: none of the deaths so far counts."""
        self._intensity.reset()
        self._backoff.reset()
