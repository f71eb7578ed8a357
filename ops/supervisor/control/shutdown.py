"""The shutdown of all children: the API first, then the workers, within a bounded time."""

from __future__ import annotations

from collections.abc import Sequence

from ops.exit_codes import FAILED, OK

from ..policy.cause import Cause
from . import lifecycle_events as events
from .children import Children

#: How long before the end of the time the remaining children are killed, in seconds.
KILL_BEFORE_END_S = 1.0

#: The supervisor does not wait longer than this for children it has killed, in seconds. A process that is
#: there after SIGKILL hangs in the kernel.
GIVE_UP_AFTER_S = 5.0


class Shutdown:
    """Stops all children, kind by kind, and all children of a kind at once.

    Parameters:
      children: the children.
      order: the kinds, in the order in which they stop.
      within_s: how long the shutdown may take, in seconds. Children that still run then are killed.
      exit_code: the exit code of the supervisor, unless a child has to be killed.

    Attributes:
      exit_code: the exit code of the supervisor.
    """

    def __init__(self, children: Children, order: Sequence[str], *, within_s: float, exit_code: int) -> None:
        self._children = children
        self._order = order
        self._kill_at = children.clock() + max(0.0, within_s - KILL_BEFORE_END_S)
        self.exit_code = exit_code
        for slot in list(children.slots):
            slot.start_at = None
            if slot.child is None:
                children.slots.remove(slot)

    @property
    def is_done(self) -> bool:
        return not self._children.slots or self._children.clock() >= self._kill_at + GIVE_UP_AFTER_S

    def step(self) -> None:
        """Drain the first kind of which children are left."""
        for kind in self._order:
            slots = self._children.of_kind(kind)
            for slot in slots:
                self._children.drain(slot, "the supervisor stops", until=self._kill_at)
            if slots:
                return

    def hurry(self) -> None:
        """Kill all children that are left."""
        self._children.emit(events.SupervisorHurried())
        for slot in list(self._children.slots):
            self._children.kill(slot, Cause("slow_stop", "told to stop at once"))

    def child_ended(self, *, killed: bool) -> None:
        """Take note that a child ended.

        Parameters:
          killed: whether the supervisor had to kill it.
        """
        if killed and self.exit_code == OK:
            self.exit_code = FAILED
