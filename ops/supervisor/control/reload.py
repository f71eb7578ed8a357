"""A reload: every child is replaced, one after the other, so that new code and settings need no pause."""

from __future__ import annotations

from collections import deque

from ..policy.cause import Cause
from . import lifecycle_events as events
from .children import Children
from .replacements import Replacements
from .slot import Slot

RELOAD = Cause("reload", "reload")


class Reload:
    """Replaces all children that were started before the reload was asked for, and starts the failed ones.

    Parameters:
      children: the children.
      replacements: replaces them.
    """

    def __init__(self, children: Children, replacements: Replacements) -> None:
        self._children = children
        self._replacements = replacements
        self._pending: deque[Slot] = deque()
        self._began_at: float | None = None

    @property
    def is_under_way(self) -> bool:
        return self._began_at is not None

    def begin(self) -> None:
        """Begin a reload. A reload that is under way begins again from its start."""
        self._began_at = self._children.clock()
        self._pending = deque(sorted(self._children.slots, key=lambda slot: slot.spec.kind))
        self._children.emit(events.ReloadStarted(children=len(self._pending)))
        for slot in self._pending:
            if slot.child is None:
                slot.failed = None
                slot.policy.reset()
                slot.start_at = self._began_at

    def step(self) -> None:
        """Replace the next child, unless another replacement is under way."""
        while self._began_at is not None and self._replacements.current is None:
            if not self._pending:
                took_s = round(self._children.clock() - self._began_at, 3)
                self._began_at = None
                self._children.emit(events.ReloadDone(took_s=took_s))
                return
            slot = self._pending[0]
            if not self._is_old(slot):
                self._pending.popleft()
            elif slot.accepts:
                slot.no_replacement_before = 0.0
                self._pending.popleft()
                self._replacements.request(slot, RELOAD)
                self._replacements.step()
            else:
                return  # the child is starting: it can be replaced once it accepts work

    def _is_old(self, slot: Slot) -> bool:
        began_at = self._began_at or 0.0
        return (
            slot in self._children.slots
            and slot.child is not None
            and not slot.is_leaving
            and slot.child.started_at < began_at
        )

    def abort(self, slot: Slot) -> None:
        """End the reload, because a replacement failed. The children not yet replaced go on.

        Parameters:
          slot: the slot whose replacement failed.
        """
        if self._began_at is not None:
            self._began_at = None
            self._pending.clear()
            self._replacements.withdraw(RELOAD)
            self._children.emit(events.ReloadAborted(slot.name))
