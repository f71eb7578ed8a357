"""The end: the API first, then the workers, within a bounded time."""

from __future__ import annotations

from collections.abc import Sequence

from . import events
from .cause import Cause
from .crew import Crew
from .errors import FAILED, OK

#: A child that is killed needs a moment to be gone, in seconds.
LAST_MOMENT_S = 1.0

#: One that is still there after so many more seconds hangs in the kernel. It has had its SIGKILL.
GIVEN_UP_AFTER_S = 5.0


class Shutdown:
    """Stops all children, kind by kind, all of a kind at once.

    Parameters:
      crew: the children.
      order: the kinds, in the order in which they stop.
      within_s: how long all of it may take, in seconds. What runs then is killed.
      exit_code: what the supervisor ends with, unless something has to be killed.
    """

    def __init__(self, crew: Crew, order: Sequence[str], *, within_s: float, exit_code: int) -> None:
        self._crew = crew
        self._order = order
        self._until = crew.clock() + max(0.0, within_s - LAST_MOMENT_S)
        self.exit_code = exit_code
        for slot in list(crew.slots):
            slot.start_at = None
            if slot.child is None:
                crew.slots.remove(slot)

    @property
    def is_done(self) -> bool:
        return not self._crew.slots or self._crew.clock() >= self._until + GIVEN_UP_AFTER_S

    def step(self) -> None:
        """Go on with the next kind, once the one before it is gone."""
        for kind in self._order:
            slots = self._crew.of_kind(kind)
            for slot in slots:
                self._crew.drain(slot, "the supervisor stops", until=self._until)
            if slots:
                return

    def hurry(self) -> None:
        """Wait for nothing more."""
        self._crew.emit(events.SupervisorHurried())
        for slot in list(self._crew.slots):
            self._crew.kill(slot, Cause("slow_stop", "told to stop at once"))

    def ended(self, *, killed: bool) -> None:
        """A child is gone."""
        if killed and self.exit_code == OK:
            self.exit_code = FAILED
