"""All children, and the operations on one of them."""

from __future__ import annotations

import errno
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from ops.exit_codes import OK

from ..policy.cause import Cause, Reason
from ..policy.child_spec import ChildSpec
from ..policy.recycling import ChildUsage, UsageLimits
from ..policy.restarts import GiveUp
from . import lifecycle_events as events
from .slot import Child, Slot

#: The pause before the next attempt when the system cannot start another process, in seconds.
START_RETRY_S = 5.0


class ProcessControl(Protocol):
    """Starts and ends the processes of this machine."""

    def start(self, slot: Slot) -> int:
        """Start a process for a slot; return its process id.

        Raises:
          OSError: the system cannot start another process.
        """
        ...

    def terminate(self, pid: int) -> None:
        """Tell a child to stop. The child stops the processes that it started itself."""
        ...

    def kill(self, pid: int) -> None:
        """Kill a child and the processes that it started."""
        ...

    def report_death(self, pid: int) -> None:
        """Have the queue told that a worker is dead."""
        ...

    def rss_bytes(self, pid: int) -> int:
        """Return the resident memory of a process, in bytes."""
        ...


class Children:
    """Holds all slots, in the order in which they were made, and starts and ends their children.

    Parameters:
      process_control: starts and ends processes.
      limits: what a child may use up, by kind.
      clock: returns seconds of a monotonic clock.
      random: returns numbers from 0 to 1.
      emit: called with each lifecycle event.

    Attributes:
      slots: all slots.
      restarts: how often a child was started in the place of another, by kind and by the reason.
    """

    def __init__(
        self,
        process_control: ProcessControl,
        *,
        limits: Mapping[str, UsageLimits],
        clock: Callable[[], float],
        random: Callable[[], float],
        emit: Callable[[events.Event], None],
    ) -> None:
        self.slots: list[Slot] = []
        self.restarts: Counter[tuple[str, Reason]] = Counter()
        self.process_control = process_control
        self.clock = clock
        self.emit = emit
        self._limits = limits
        self._random = random

    def of_kind(self, kind: str) -> list[Slot]:
        """Return the slots of one kind."""
        return [slot for slot in self.slots if slot.spec.kind == kind]

    def by_pid(self, pid: int) -> Slot | None:
        """Return the slot in which a process runs."""
        return next((slot for slot in self.slots if slot.child is not None and slot.child.pid == pid), None)

    def add(self, spec: ChildSpec) -> Slot:
        """Add a slot under the lowest free number, and start its child."""
        taken = {slot.number for slot in self.of_kind(spec.kind)}
        number = next(number for number in range(1, len(taken) + 2) if number not in taken)
        slot = Slot(spec, number, self._random)
        self.slots.append(slot)
        self.start(slot)
        return slot

    def start(self, slot: Slot) -> None:
        """Start a slot's child. When the system cannot, the next attempt follows after `START_RETRY_S`."""
        now = self.clock()
        slot.start_at = None
        slot.another_serves = any(other.accepts for other in self.of_kind(slot.spec.kind))
        try:
            pid = self.process_control.start(slot)
        except OSError as error:
            slot.start_at = now + START_RETRY_S
            name = errno.errorcode.get(error.errno or 0, str(error))
            self.emit(events.ChildNotStarted(slot.name, error=name, retry_in_s=START_RETRY_S))
            return
        limits = self._limits.get(slot.spec.kind, UsageLimits())
        slot.child = Child(pid, started_at=now, usage=ChildUsage(limits), heard_at=now)
        self.emit(events.ChildStarted(slot.name, pid=pid))

    def drain(self, slot: Slot, reason: str, *, until: float | None = None) -> None:
        """Tell a slot's child to stop, and remove the slot when the child has ended.

        A second call changes nothing but the time at which the child is killed.

        Parameters:
          slot: the slot.
          reason: why, for the operator.
          until: when the child is killed at the latest; after the shutdown timeout of its kind otherwise.
        """
        slot.is_leaving = True
        child = slot.child
        if child is None:
            self.slots.remove(slot)
            return
        if child.stop_reason is None:
            child.stop_reason = reason
            child.kill_at = self.clock() + slot.spec.shutdown_timeout_s
            self.emit(events.ChildStopping(slot.name, pid=child.pid, reason=reason))
            self.process_control.terminate(child.pid)
        if until is not None and child.kill_at is not None:
            child.kill_at = min(child.kill_at, until)

    def kill(self, slot: Slot, cause: Cause) -> None:
        """Kill a slot's child. The supervisor decides what follows when the process has ended."""
        child = slot.child
        if child is not None and child.kill_cause is None:
            child.kill_cause = cause
            self.emit(events.ChildKilled(slot.name, pid=child.pid, reason=cause.text))
            self.process_control.kill(child.pid)

    def record_end(self, slot: Slot, child: Child, code: int) -> str:
        """Record that a slot's child has ended; return how, for the operator.

        Parameters:
          code: the exit code, or minus the signal's number.
        """
        end = str(child.death(code, self.clock()))
        if child.kill_cause is not None:
            end += f" ({child.kill_cause.text})"
        slot.child = None
        slot.last_end = end
        slot.last_code = code
        if slot.spec.work_counts_deaths and code != OK and child.ready_at is not None:
            self.process_control.report_death(child.pid)
        return end

    def restart_or_fail(self, slot: Slot, child: Child, code: int, end: str) -> None:
        """Judge the death of a child that was not told to stop, and do what follows."""
        now = self.clock()
        verdict = slot.policy.judge(child.death(code, now), now)
        if isinstance(verdict, GiveUp):
            slot.failed = verdict.reason
            self.emit(events.ChildFailed(slot.name, reason=verdict.reason))
            return
        slot.restarts += 1
        self.count_restart(slot, child.kill_cause.reason if child.kill_cause else _reason_of(code))
        slot.start_at = now + verdict.pause_s
        pause_s = round(verdict.pause_s, 3)
        self.emit(
            events.ChildDied(slot.name, pid=child.pid, end=end, job=child.job_name, restart_in_s=pause_s)
        )

    def count_restart(self, slot: Slot, reason: Reason) -> None:
        """Count that another child takes the place of this slot's."""
        self.restarts[slot.spec.kind, reason] += 1

    def do_what_is_due(self) -> None:
        """Start the children whose pause is over, and kill those that did not stop in time."""
        now = self.clock()
        for slot in list(self.slots):
            if slot.start_at is not None and slot.start_at <= now:
                self.start(slot)
            elif slot.child is not None and slot.child.kill_at is not None and slot.child.kill_at <= now:
                self.kill(slot, Cause("slow_stop", "did not stop in time"))

    def due_at(self) -> float | None:
        """Return when `do_what_is_due` has something to do next; None when nothing is planned."""
        return min(_dues(self.slots), default=None)


def _reason_of(code: int) -> Reason:
    return "exited" if code >= 0 else "killed"


def _dues(slots: Iterable[Slot]) -> Iterable[float]:
    for slot in slots:
        if slot.start_at is not None:
            yield slot.start_at
        child = slot.child
        if child is not None and child.kill_at is not None and child.kill_cause is None:
            yield child.kill_at
