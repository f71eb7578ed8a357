"""Replacing a child: a new one becomes ready first, then the old one stops. One child at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..policy.cause import Cause
from . import lifecycle_events as events
from .children import Children
from .slot import Slot

#: After a replacement failed, the next one for the same child begins after this pause, in seconds.
RETRY_S = 30.0


@dataclass(frozen=True, slots=True)
class Replacement:
    """Describes the replacement that is under way."""

    old: Slot
    new: Slot
    cause: Cause


class Replacements:
    """Replaces children. The new child gets a slot of its own; once it is ready the old child is drained.

    Parameters:
      children: the children.
      on_failure: called with the old slot when its replacement did not become ready.

    Attributes:
      current: the replacement that is under way; None when none is.
    """

    def __init__(self, children: Children, on_failure: Callable[[Slot], None]) -> None:
        self._children = children
        self._on_failure = on_failure
        self._pending: dict[Slot, Cause] = {}
        self.current: Replacement | None = None

    def request(self, slot: Slot, cause: Cause) -> None:
        """Replace a slot's child after those requested before. A second request changes nothing."""
        is_current = self.current is not None and slot in {self.current.old, self.current.new}
        if not is_current and not slot.is_leaving and self._children.clock() >= slot.no_replacement_before:
            self._pending.setdefault(slot, cause)

    def is_candidate(self, slot: Slot) -> bool:
        """Return whether a slot holds a replacement that has not become ready yet."""
        current = self.current
        return current is not None and slot is current.new and not current.old.is_leaving

    def is_requested(self, slot: Slot) -> bool:
        """Return whether a slot's child is being replaced, or is going to be."""
        return slot in self._pending or (self.current is not None and slot is self.current.old)

    def step(self) -> None:
        """Drain an old child once the new one is ready. Begin the next replacement when none is under way."""
        current = self.current
        if current is not None and current.old not in self._children.slots:
            self.current = current = None
        if current is None:
            self._begin_next()
        elif current.new.is_ready and not current.old.is_leaving:
            self._children.count_restart(current.old, current.cause.reason)
            self._children.drain(current.old, current.cause.text)

    def _begin_next(self) -> None:
        for slot in list(self._pending):
            cause = self._pending.pop(slot)
            # A child that ended meanwhile has been started again: it needs no replacement.
            if slot in self._children.slots and slot.accepts:
                new = self._children.add(slot.spec)
                self.current = Replacement(slot, new, cause)
                self._children.emit(events.ReplacementStarted(slot.name, by=new.name, reason=cause.text))
                return

    def candidate_ended(self, slot: Slot, end: str) -> bool:
        """Take note that a child ended; return whether it was a replacement that had not become ready.

        Then the replacement has failed, and the old child goes on.
        """
        current = self.current
        if current is None or not self.is_candidate(slot):
            return False
        self.current = None
        self._children.slots.remove(slot)
        current.old.no_replacement_before = self._children.clock() + RETRY_S
        self._children.emit(events.ReplacementFailed(current.old.name, by=current.new.name, end=end))
        self._on_failure(current.old)
        return True

    def old_ended(self, slot: Slot) -> bool:
        """Take note that a child ended; return whether a replacement is there already to take its place."""
        current = self.current
        if current is None or slot is not current.old:
            return False
        self.current = None
        return True

    def cancel(self) -> None:
        """Begin no further replacement. Both children of the current one stay as they are."""
        self._pending.clear()
        self.current = None

    def withdraw(self, cause: Cause) -> None:
        """Drop the requests that were made for one cause and have not begun."""
        self._pending = {slot: other for slot, other in self._pending.items() if other != cause}
