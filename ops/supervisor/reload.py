"""New code and new settings, without a pause: every child replaced, one after the other."""

from __future__ import annotations

from collections import deque

from . import events
from .cause import Cause
from .child import Slot
from .crew import Crew
from .replacements import Replacements

RELOAD = Cause("reload", "reload")


class Reload:
    """Replaces all children that were started before it was asked for, and gives the failed another chance.

    Parameters:
      crew: the children.
      replacements: replaces them.
    """

    def __init__(self, crew: Crew, replacements: Replacements) -> None:
        self._crew = crew
        self._replacements = replacements
        self._pending: deque[Slot] = deque()
        self._began_at: float | None = None

    @property
    def is_under_way(self) -> bool:
        return self._began_at is not None

    def begin(self) -> None:
        """Asked for. During another one: that begins anew."""
        self._began_at = self._crew.clock()
        self._pending = deque(sorted(self._crew.slots, key=lambda slot: slot.spec.kind))
        self._crew.emit(events.ReloadStarted(children=len(self._pending)))
        for slot in self._pending:
            if slot.child is None:
                slot.failed = None
                slot.policy.forget()
                slot.start_at = self._began_at

    def step(self) -> None:
        """Go on, as far as that is possible now."""
        while self._began_at is not None and self._replacements.current is None:
            if not self._pending:
                took_s = round(self._crew.clock() - self._began_at, 3)
                self._began_at = None
                self._crew.emit(events.ReloadDone(took_s=took_s))
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
                return  # it is just starting

    def _is_old(self, slot: Slot) -> bool:
        began_at = self._began_at or 0.0
        return (
            slot in self._crew.slots
            and slot.child is not None
            and not slot.leaves
            and slot.child.started_at < began_at
        )

    def abort(self, slot: Slot) -> None:
        """A replacement failed: what has not been replaced goes on as it is."""
        if self._began_at is not None:
            self._began_at = None
            self._pending.clear()
            self._replacements.forget(RELOAD)
            self._crew.emit(events.ReloadAborted(slot.name))
