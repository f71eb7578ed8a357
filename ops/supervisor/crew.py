"""The children, and what is done to them."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from . import events
from .cause import Cause, Word
from .child import Child, Slot, new_child
from .errors import OK
from .recycling import Limits
from .spec import ChildSpec

#: How long to wait when the machine has no room for another process, in seconds.
NO_ROOM_S = 5.0


class Hands(Protocol):
    """What touches the machine."""

    def start(self, slot: Slot) -> int:
        """Start a process for a slot; return its process id.

        Raises:
          OSError: the machine cannot.
        """
        ...

    def terminate(self, pid: int) -> None:
        """Tell a child to stop. Only itself: what it started is its own to stop."""
        ...

    def kill(self, pid: int) -> None:
        """Kill a child and what it started."""
        ...

    def report_death(self, pid: int) -> None:
        """Have the queue told that a worker is dead."""
        ...

    def rss_bytes(self, pid: int) -> int:
        """A process's resident memory."""
        ...


class Crew:
    """All slots, in the order they were made.

    Parameters:
      hands: touches the machine.
      limits: what children may use up, by kind.
      clock: seconds, monotonic.
      random: gives numbers from 0 to 1.
      emit: is told what happens.

    Attributes:
      slots: all of them.
      restarts: how often a child was started in the place of another, by kind and by why that one went.
    """

    def __init__(
        self,
        hands: Hands,
        *,
        limits: Mapping[str, Limits],
        clock: Callable[[], float],
        random: Callable[[], float],
        emit: Callable[[events.Event], None],
    ) -> None:
        self.slots: list[Slot] = []
        self.restarts: Counter[tuple[str, Word]] = Counter()
        self.hands = hands
        self.clock = clock
        self.emit = emit
        self._limits = limits
        self._random = random

    def of_kind(self, kind: str) -> list[Slot]:
        return [slot for slot in self.slots if slot.spec.kind == kind]

    def by_pid(self, pid: int) -> Slot | None:
        return next((slot for slot in self.slots if slot.child is not None and slot.child.pid == pid), None)

    def add(self, spec: ChildSpec) -> Slot:
        """One child more, under the lowest number that is free."""
        taken = {slot.number for slot in self.of_kind(spec.kind)}
        number = next(number for number in range(1, len(taken) + 2) if number not in taken)
        slot = Slot(spec, number, self._random)
        self.slots.append(slot)
        self.start(slot)
        return slot

    def start(self, slot: Slot) -> None:
        """Start a slot's process; when the machine cannot, try again later."""
        now = self.clock()
        slot.start_at = None
        slot.another_serves = any(other.accepts for other in self.of_kind(slot.spec.kind))
        try:
            pid = self.hands.start(slot)
        except OSError as error:
            slot.start_at = now + NO_ROOM_S
            why = errno.errorcode.get(error.errno or 0, str(error))
            self.emit(events.ChildNotStarted(slot.name, error=why, retry_in_s=NO_ROOM_S))
            return
        slot.child = new_child(pid, self._limits.get(slot.spec.kind, Limits()), now)
        self.emit(events.ChildStarted(slot.name, pid=pid))

    def drain(self, slot: Slot, reason: str, *, until: float | None = None) -> None:
        """Tell a slot's child to stop; the slot goes with it. A second time changes nothing.

        Parameters:
          until: when it is killed; its kind's shutdown timeout from now on otherwise.
        """
        slot.leaves = True
        child = slot.child
        if child is None:
            self.slots.remove(slot)
            return
        if child.stop_reason is None:
            child.stop_reason = reason
            child.kill_at = self.clock() + slot.spec.shutdown_timeout_s
            self.emit(events.ChildStopping(slot.name, pid=child.pid, reason=reason))
            self.hands.terminate(child.pid)
        if until is not None and child.kill_at is not None:
            child.kill_at = min(child.kill_at, until)

    def kill(self, slot: Slot, cause: Cause) -> None:
        """Kill a slot's child. What follows, follows from its end."""
        child = slot.child
        if child is not None and child.kill_cause is None:
            child.kill_cause = cause
            self.emit(events.ChildKilled(slot.name, pid=child.pid, reason=cause.text))
            self.hands.kill(child.pid)

    def bury(self, slot: Slot, child: Child, code: int) -> str:
        """Note a child's end; return it, for a person."""
        end = str(child.death(code, self.clock()))
        if child.kill_cause is not None:
            end += f" ({child.kill_cause.text})"
        slot.child = None
        slot.last_end = end
        slot.last_code = code
        if slot.spec.work_counts_deaths and code != OK and child.ready_at is not None:
            self.hands.report_death(child.pid)
        return end

    def restart_or_fail(self, slot: Slot, child: Child, code: int, end: str) -> None:
        """A child ended that nobody had told to: judge what follows."""
        now = self.clock()
        verdict = slot.policy.after(child.death(code, now), now)
        if verdict.failed is not None:
            slot.failed = verdict.failed
            self.emit(events.ChildFailed(slot.name, reason=verdict.failed))
        elif verdict.restart_in_s is None:
            self.slots.remove(slot)
            self.emit(events.ChildStopped(slot.name, pid=child.pid, end=end))
        else:
            slot.restarts += 1
            self.count_restart(slot, child.kill_cause.word if child.kill_cause else _word(code))
            slot.start_at = now + verdict.restart_in_s
            pause = round(verdict.restart_in_s, 3)
            self.emit(
                events.ChildDied(slot.name, pid=child.pid, end=end, job=child.job_name, restart_in_s=pause)
            )

    def count_restart(self, slot: Slot, word: Word) -> None:
        """Another child takes the place of this slot's."""
        self.restarts[slot.spec.kind, word] += 1

    def do_what_is_due(self) -> None:
        """Start whose pause is over, kill whose time is up."""
        now = self.clock()
        for slot in list(self.slots):
            if slot.start_at is not None and slot.start_at <= now:
                self.start(slot)
            elif slot.child is not None and slot.child.kill_at is not None and slot.child.kill_at <= now:
                self.kill(slot, Cause("slow_stop", "did not stop in time"))

    def due_at(self) -> float | None:
        """When `do_what_is_due` has something to do next."""
        return min(_dues(self.slots), default=None)


def _word(code: int) -> Word:
    return "exited" if code >= 0 else "killed"


def _dues(slots: Iterable[Slot]) -> Iterable[float]:
    for slot in slots:
        if slot.start_at is not None:
            yield slot.start_at
        child = slot.child
        if child is not None and child.kill_at is not None and child.kill_cause is None:
            yield child.kill_at
