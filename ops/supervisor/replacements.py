"""Puts a new child in an old one's place: the new one first, one at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from . import events
from .cause import Cause
from .child import Slot
from .crew import Crew

#: After a replacement failed, the next try for the same child waits so long, in seconds.
TRY_AGAIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Swap:
    """One replacement under way."""

    old: Slot
    new: Slot
    cause: Cause


class Replacements:
    """Replaces children. The new one gets a slot of its own; once it is ready the old one is drained.

    Parameters:
      crew: the children.
      on_failure: called with the old slot when its replacement did not become ready.
    """

    def __init__(self, crew: Crew, on_failure: Callable[[Slot], None]) -> None:
        self._crew = crew
        self._on_failure = on_failure
        self._pending: dict[Slot, Cause] = {}
        self.current: Swap | None = None

    def request(self, slot: Slot, cause: Cause) -> None:
        """Replace this child when its turn comes. A second request changes nothing."""
        is_current = self.current is not None and slot in {self.current.old, self.current.new}
        if not is_current and not slot.leaves and self._crew.clock() >= slot.no_replacement_before:
            self._pending.setdefault(slot, cause)

    def is_candidate(self, slot: Slot) -> bool:
        """Whether it is a new child that still has to show that it becomes ready."""
        swap = self.current
        return swap is not None and slot is swap.new and not swap.old.leaves

    def is_open(self, slot: Slot) -> bool:
        """Whether this child is being, or is to be, replaced."""
        return slot in self._pending or (self.current is not None and slot is self.current.old)

    def step(self) -> None:
        """Go on, as far as that is possible now."""
        swap = self.current
        if swap is not None and swap.old not in self._crew.slots:
            self.current = swap = None
        if swap is None:
            self._begin_next()
        elif swap.new.is_ready and not swap.old.leaves:
            self._crew.count_restart(swap.old, swap.cause.word)
            self._crew.drain(swap.old, swap.cause.text)

    def _begin_next(self) -> None:
        for slot in list(self._pending):
            cause = self._pending.pop(slot)
            if slot in self._crew.slots and slot.accepts:  # or it ended meanwhile, and is new anyway
                new = self._crew.add(slot.spec)
                self.current = Swap(slot, new, cause)
                self._crew.emit(events.ReplacementStarted(slot.name, by=new.name, reason=cause.text))
                return

    def candidate_ended(self, slot: Slot, end: str) -> bool:
        """A child ended. Whether it was a new one that had not become ready: then the old one goes on."""
        swap = self.current
        if swap is None or not self.is_candidate(slot):
            return False
        self.current = None
        self._crew.slots.remove(slot)
        swap.old.no_replacement_before = self._crew.clock() + TRY_AGAIN_S
        self._crew.emit(events.ReplacementFailed(swap.old.name, by=swap.new.name, end=end))
        self._on_failure(swap.old)
        return True

    def old_ended(self, slot: Slot) -> bool:
        """An old child ended before its time. Whether another is there already to take its place."""
        swap = self.current
        if swap is None or slot is not swap.old:
            return False
        self.current = None
        return True

    def cancel(self) -> None:
        """Begin nothing more. What is under way stays as it is."""
        self._pending.clear()
        self.current = None

    def forget(self, cause: Cause) -> None:
        """Drop what was requested for this reason and has not begun."""
        self._pending = {slot: why for slot, why in self._pending.items() if why != cause}
