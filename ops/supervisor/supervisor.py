"""Decides what is done about what happens. It knows neither processes nor time of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from . import events
from .autoscaler import Autoscaler
from .cause import Word
from .child import Slot
from .crew import Crew
from .errors import FAILED, MISCONFIGURED, OK
from .health import Patience
from .heartbeat import Heartbeat
from .inspection import Inspection
from .reload import Reload
from .replacements import Replacements
from .scaling import Scaling
from .shutdown import Shutdown
from .spec import ChildSpec

#: How often all children are looked at, in seconds.
ROUND_S = 1.0

#: A round that comes later than this finds us to have been stopped ourselves, in seconds.
LATE_S = 3.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to run, and how.

    Attributes:
      api, worker: the two kinds of children.
      patience: how long a child may say nothing before it hangs.
      drain_timeout_s: how long the end may take, in seconds.
      autoscaler: says how many workers there are to be; None for always the same number.
    """

    api: ChildSpec
    worker: ChildSpec
    patience: Patience = field(default_factory=lambda: Patience(timeout_s=10.0))
    drain_timeout_s: float = 150.0
    autoscaler: Autoscaler | None = None

    @property
    def stop_order(self) -> Sequence[str]:
        """The front door first: what is taken in can still be worked on."""
        return (self.api.kind, self.worker.kind)


class Supervisor:
    """Keeps a plan's children running.

    Parameters:
      plan: what is to run.
      crew: runs it.
    """

    def __init__(self, plan: Plan, crew: Crew) -> None:
        self._plan = plan
        self._crew = crew
        self._replacements = Replacements(crew, self._replacement_failed)
        self._reload = Reload(crew, self._replacements)
        self._inspection = Inspection(crew, self._replacements, patience=plan.patience)
        self.scaling = Scaling(crew, self._replacements, plan.worker, plan.autoscaler)
        self._shutdown: Shutdown | None = None
        self._next_round_at = 0.0
        self.is_ready = False

    # -- what is asked of it ---------------------------------------------------------------------------

    def start(self) -> None:
        """Start all children: the workers, then the API."""
        for spec in (self._plan.worker, self._plan.api):
            for _ in range(spec.count):
                self._crew.add(spec)
        self._next_round_at = self._crew.clock() + ROUND_S

    def stop(self, reason: str, *, exit_code: int = OK) -> None:
        """Stop all children in order; asked a second time, at once."""
        if self._shutdown is not None:
            self._shutdown.hurry()
            return
        within_s = self._plan.drain_timeout_s
        self._crew.emit(events.SupervisorStopping(reason=reason, within_s=within_s))
        self._replacements.cancel()
        self._shutdown = Shutdown(self._crew, self._plan.stop_order, within_s=within_s, exit_code=exit_code)
        self._shutdown.step()

    def reload(self) -> None:
        """Replace all children, one after the other."""
        if self._shutdown is None:
            self._reload.begin()
            self._go_on()

    # -- what it is told -------------------------------------------------------------------------------

    def heard(self, pid: int, heartbeat: Heartbeat) -> None:
        """A child sent a heartbeat."""
        slot = self._crew.by_pid(pid)
        child = None if slot is None else slot.child
        if slot is None or child is None:
            return
        child.heard_at = self._crew.clock()
        child.heartbeat = heartbeat
        if child.ready_at is None and heartbeat.state == "ready":
            child.ready_at = child.heard_at
            after_s = round(child.ready_at - child.started_at, 3)
            self._crew.emit(events.ChildReady(slot.name, pid=pid, after_s=after_s))
            self._go_on()

    def ended(self, pid: int, code: int) -> bool:
        """A process ended, and was waited for. Whether it was a child."""
        slot = self._crew.by_pid(pid)
        child = None if slot is None else slot.child
        if slot is None or child is None:
            return False
        end = self._crew.bury(slot, child, code)
        if self._shutdown is not None:
            self._shutdown.ended(killed=child.kill_cause is not None)
        if slot.leaves or self._shutdown is not None:
            self._crew.slots.remove(slot)
            self._crew.emit(events.ChildStopped(slot.name, pid=pid, end=end))
        elif self._replacements.candidate_ended(slot, end):
            pass
        elif self._replacements.old_ended(slot):
            self._crew.slots.remove(slot)
            self._crew.emit(events.ChildStopped(slot.name, pid=pid, end=end))
        else:
            self._crew.restart_or_fail(slot, child, code, end)
        self._go_on()
        return True

    def act(self, wall_ms: int) -> None:
        """Do what is due. To be called when `due_at` has come, and as often as one likes.

        Parameters:
          wall_ms: now, in milliseconds since the epoch.
        """
        self._crew.do_what_is_due()
        now = self._crew.clock()
        if now < self._next_round_at:
            return
        if now - self._next_round_at > LATE_S:
            self._inspection.forgive_silence()
        self._next_round_at = now + ROUND_S
        self._inspection.round()
        if self._shutdown is None:
            self.scaling.look(wall_ms)
        self._go_on()

    # -- how it is -------------------------------------------------------------------------------------

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
        """Whether some API accepts connections."""
        return any(slot.accepts for slot in self._crew.of_kind(self._plan.api.kind))

    @property
    def api_is_expected(self) -> bool:
        """Whether an API is there, or is going to be."""
        return any(slot.failed is None for slot in self._crew.of_kind(self._plan.api.kind))

    @property
    def restarts(self) -> Mapping[tuple[str, Word], int]:
        """How often a child was started in the place of another, by kind and by why that one went."""
        return self._crew.restarts

    @property
    def slots(self) -> Sequence[Slot]:
        return self._crew.slots

    def due_at(self) -> float:
        """When there is something to do next."""
        due_at = self._crew.due_at()
        return self._next_round_at if due_at is None else min(due_at, self._next_round_at)

    # -- its own ---------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Something changed: whatever waited for it goes on."""
        if self._shutdown is None:
            self._give_up_if_pointless()
        if self._shutdown is not None:
            self._shutdown.step()
            return
        self._replacements.step()
        self._reload.step()
        kinds = {slot.spec.kind for slot in self._crew.slots if slot.is_ready}
        if not self.is_ready and kinds == set(self._plan.stop_order):
            self.is_ready = True
            self._crew.emit(events.SupervisorReady())

    def _replacement_failed(self, old: Slot) -> None:
        self._reload.abort(old)

    def _give_up_if_pointless(self) -> None:
        """Without any API, or without any worker, the rest is of no use."""
        for kind in self._plan.stop_order:
            same = [slot for slot in self._crew.of_kind(kind) if not slot.leaves]
            if same and all(slot.failed is not None for slot in same):
                misconfigured = all(slot.last_code == MISCONFIGURED for slot in same)
                self.stop(f"no {kind} is left", exit_code=MISCONFIGURED if misconfigured else FAILED)
                return
