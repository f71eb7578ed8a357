"""The supervisor: decides what follows from each thing that happens to its children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ops.exit_codes import FAILED, MISCONFIGURED, OK

from ..policy.cause import Reason
from ..protocol.heartbeat import Heartbeat
from . import lifecycle_events as events
from .children import Children
from .inspection import Inspection
from .plan import Plan
from .reload import Reload
from .replacements import Replacements
from .scaling import Scaling
from .shutdown import Shutdown
from .slot import Slot

#: How often all children are inspected, in seconds.
INSPECTION_EVERY_S = 1.0

#: An inspection that is later than this shows that the supervisor itself was stopped, in seconds.
LATE_S = 3.0


class Supervisor:
    """Keeps a plan's children running.

    Parameters:
      plan: what runs.
      children: starts and ends the children.

    Attributes:
      scaling: starts and drains workers.
      is_ready: whether an API and a worker have been ready at the same time.
    """

    def __init__(self, plan: Plan, children: Children) -> None:
        self._plan = plan
        self._children = children
        self._replacements = Replacements(children, self._replacement_failed)
        self._reload = Reload(children, self._replacements)
        self._inspection = Inspection(
            children, self._replacements, heartbeat_timeout_s=plan.heartbeat_timeout_s
        )
        self.scaling = Scaling(children, self._replacements, plan.worker, plan.autoscaler)
        self._shutdown: Shutdown | None = None
        self._next_inspection_at = 0.0
        self.is_ready = False

    # -- commands of the operator ----------------------------------------------------------------------

    def start(self) -> None:
        """Start all children: the workers, then the API."""
        for spec in (self._plan.worker, self._plan.api):
            for _ in range(spec.count):
                self._children.add(spec)
        self._next_inspection_at = self._children.clock() + INSPECTION_EVERY_S

    def stop(self, reason: str, *, exit_code: int = OK) -> None:
        """Stop all children in order. A second call kills those that are left.

        Parameters:
          reason: why, for the operator.
          exit_code: the exit code of the supervisor, unless a child has to be killed.
        """
        if self._shutdown is not None:
            self._shutdown.hurry()
            return
        within_s = self._plan.drain_timeout_s
        self._children.emit(events.SupervisorStopping(reason=reason, within_s=within_s))
        self._replacements.cancel()
        self._shutdown = Shutdown(
            self._children, self._plan.stop_order, within_s=within_s, exit_code=exit_code
        )
        self._shutdown.step()

    def reload(self) -> None:
        """Replace all children, one after the other."""
        if self._shutdown is None:
            self._reload.begin()
            self._step()

    # -- what happens to the children ------------------------------------------------------------------

    def heartbeat_received(self, pid: int, heartbeat: Heartbeat) -> None:
        """Take note of a child's heartbeat."""
        slot = self._children.by_pid(pid)
        child = None if slot is None else slot.child
        if slot is None or child is None:
            return
        child.heard_at = self._children.clock()
        child.heartbeat = heartbeat
        if child.ready_at is None and heartbeat.state == "ready":
            child.ready_at = child.heard_at
            after_s = round(child.ready_at - child.started_at, 3)
            self._children.emit(events.ChildReady(slot.name, pid=pid, after_s=after_s))
            self._step()

    def process_ended(self, pid: int, code: int) -> bool:
        """Take note that a process has ended; return whether it was a child.

        Parameters:
          pid: the process id.
          code: the exit code, or minus the signal's number.
        """
        slot = self._children.by_pid(pid)
        child = None if slot is None else slot.child
        if slot is None or child is None:
            return False
        end = self._children.record_end(slot, child, code)
        if self._shutdown is not None:
            self._shutdown.child_ended(killed=child.kill_cause is not None)
        if slot.is_leaving or self._shutdown is not None:
            self._children.slots.remove(slot)
            self._children.emit(events.ChildStopped(slot.name, pid=pid, end=end))
        elif self._replacements.candidate_ended(slot, end):
            pass
        elif self._replacements.old_ended(slot):
            self._children.slots.remove(slot)
            self._children.emit(events.ChildStopped(slot.name, pid=pid, end=end))
        else:
            self._children.restart_or_fail(slot, child, code, end)
        self._step()
        return True

    def do_what_is_due(self, wall_ms: int) -> None:
        """Start, kill and inspect children as planned. The caller calls this at `due_at`, or more often.

        Parameters:
          wall_ms: the time in milliseconds since the epoch.
        """
        self._children.do_what_is_due()
        now = self._children.clock()
        if now < self._next_inspection_at:
            return
        if now - self._next_inspection_at > LATE_S:
            self._inspection.restart_silence()
        self._next_inspection_at = now + INSPECTION_EVERY_S
        self._inspection.inspect()
        if self._shutdown is None:
            self.scaling.step(wall_ms)
        self._step()

    # -- the state -------------------------------------------------------------------------------------

    @property
    def is_over(self) -> bool:
        return self._shutdown is not None and self._shutdown.is_done

    @property
    def exit_code(self) -> int:
        return OK if self._shutdown is None else self._shutdown.exit_code

    @property
    def state(self) -> str:
        if self._shutdown is not None:
            return "stopping"
        if self._reload.is_under_way:
            return "reloading"
        return "running" if self.is_ready else "starting"

    @property
    def api_accepts(self) -> bool:
        """Return whether an API accepts connections."""
        return any(slot.accepts for slot in self._children.of_kind(self._plan.api.kind))

    @property
    def api_is_expected(self) -> bool:
        """Return whether an API runs, or is going to be started."""
        return any(slot.failed is None for slot in self._children.of_kind(self._plan.api.kind))

    @property
    def restarts(self) -> Mapping[tuple[str, Reason], int]:
        """Return how often a child was started in the place of another, by kind and by the reason."""
        return self._children.restarts

    @property
    def slots(self) -> Sequence[Slot]:
        return self._children.slots

    def due_at(self) -> float:
        """Return when `do_what_is_due` has something to do next."""
        due_at = self._children.due_at()
        return self._next_inspection_at if due_at is None else min(due_at, self._next_inspection_at)

    # -- what follows ----------------------------------------------------------------------------------

    def _step(self) -> None:
        """Let the shutdown, the replacements and the reload go on, after something has changed."""
        if self._shutdown is None:
            self._stop_if_a_kind_has_failed()
        if self._shutdown is not None:
            self._shutdown.step()
            return
        self._replacements.step()
        self._reload.step()
        ready_kinds = {slot.spec.kind for slot in self._children.slots if slot.is_ready}
        if not self.is_ready and ready_kinds == set(self._plan.stop_order):
            self.is_ready = True
            self._children.emit(events.SupervisorReady())

    def _replacement_failed(self, old: Slot) -> None:
        self._reload.abort(old)

    def _stop_if_a_kind_has_failed(self) -> None:
        """Stop when every API, or every worker, has failed: the other kind is of no use alone."""
        for kind in self._plan.stop_order:
            same = [slot for slot in self._children.of_kind(kind) if not slot.is_leaving]
            if same and all(slot.failed is not None for slot in same):
                misconfigured = all(slot.last_code == MISCONFIGURED for slot in same)
                self.stop(f"no {kind} is left", exit_code=MISCONFIGURED if misconfigured else FAILED)
                return
