"""Starting and stopping workers, so that as many run as the autoscaler wants."""

from __future__ import annotations

from ..policy.autoscaler import Autoscaler, Load
from ..policy.child_spec import ChildSpec
from ..protocol.heartbeat import Backlog
from . import lifecycle_events as events
from .children import Children
from .replacements import Replacements
from .slot import Slot

#: How often the load is measured, in seconds. Workers count what waits as often.
EVERY_S = 5.0


class Scaling:
    """Measures the load, starts workers when too few run, and drains one when too many do.

    Parameters:
      children: the children.
      replacements: a worker that is being replaced is left alone.
      spec: the kind of the workers.
      autoscaler: computes how many workers should run; None when the number is fixed.

    Attributes:
      wanted: how many workers should run.
    """

    def __init__(
        self, children: Children, replacements: Replacements, spec: ChildSpec, autoscaler: Autoscaler | None
    ) -> None:
        self._children = children
        self._replacements = replacements
        self._spec = spec
        self._autoscaler = autoscaler
        self._measured_at: float | None = None
        self._totals_by_pid: dict[int, tuple[int, float]] = {}
        self.wanted = spec.count

    def step(self, wall_ms: int) -> None:
        """Measure the load when that is due, and start or drain workers.

        Parameters:
          wall_ms: the time in milliseconds since the epoch, as in the queue's times.
        """
        now = self._children.clock()
        if self._autoscaler is None:
            return
        if self._measured_at is not None and now - self._measured_at < EVERY_S:
            return
        load = self._load(wall_ms, 0.0 if self._measured_at is None else now - self._measured_at)
        self._measured_at = now
        before, self.wanted = self.wanted, self._autoscaler.update(load, now)
        if self.wanted != before:
            wait_s = round(load.oldest_wait_s, 1)
            event = events.WorkersWanted(before, self.wanted, ready=load.ready, oldest_wait_s=wait_s)
            self._children.emit(event)
        self._start_or_drain()

    def backlog(self) -> tuple[Backlog, ...] | None:
        """Return what waits, from the latest heartbeat that says it; None when none does."""
        children = [slot.child for slot in self._children.of_kind(self._spec.kind) if slot.child is not None]
        known = [child for child in children if child.heartbeat.backlog is not None]
        return max(known, key=lambda child: child.heard_at).heartbeat.backlog if known else None

    def _load(self, wall_ms: int, elapsed_s: float) -> Load:
        backlog = self.backlog() or ()
        dues = [queue.oldest_due_at_ms for queue in backlog if queue.oldest_due_at_ms is not None]
        done, busy_s = self._work_since_the_last_time()
        return Load(
            ready=sum(queue.ready for queue in backlog),
            oldest_wait_s=max(0.0, (wall_ms - min(dues)) / 1000) if dues else 0.0,
            done=done,
            busy_s=busy_s,
            elapsed_s=elapsed_s,
        )

    def _work_since_the_last_time(self) -> tuple[int, float]:
        totals = {
            slot.child.pid: (slot.child.heartbeat.done, slot.child.heartbeat.busy_s)
            for slot in self._children.of_kind(self._spec.kind)
            if slot.child is not None
        }
        before, self._totals_by_pid = self._totals_by_pid, totals
        known = [(now, before.get(pid, (0, 0.0))) for pid, now in totals.items()]
        done = sum(now[0] - then[0] for now, then in known)
        return done, sum(max(0.0, now[1] - then[1]) for now, then in known)

    def _start_or_drain(self) -> None:
        present = [slot for slot in self._children.of_kind(self._spec.kind) if self._counts(slot)]
        for _ in range(self.wanted - len(present)):
            self._children.add(self._spec)
        spare = [slot for slot in present if slot.is_ready and not self._replacements.is_requested(slot)]
        if len(present) > self.wanted and spare:
            self._children.drain(spare[-1], "fewer workers are wanted")

    def _counts(self, slot: Slot) -> bool:
        return not slot.is_leaving and not self._replacements.is_candidate(slot)
