"""As many workers as are wanted, and the load that decides it."""

from __future__ import annotations

from . import events
from .autoscaler import Autoscaler, Load
from .child import Slot
from .crew import Crew
from .heartbeat import Backlog
from .replacements import Replacements
from .spec import ChildSpec

#: How often to look, in seconds: workers count the queue as often.
EVERY_S = 5.0


class Scaling:
    """Starts workers when they are too few, and lets them go when they are too many.

    Parameters:
      crew: the children.
      replacements: what is being replaced is let alone.
      spec: what a worker is to be.
      autoscaler: says how many; None for always as many as the spec says.
    """

    def __init__(
        self, crew: Crew, replacements: Replacements, spec: ChildSpec, autoscaler: Autoscaler | None
    ) -> None:
        self._crew = crew
        self._replacements = replacements
        self._spec = spec
        self._autoscaler = autoscaler
        self._looked_at: float | None = None
        self._totals: dict[int, tuple[int, float]] = {}
        self.wanted = spec.count

    def look(self, wall_ms: int) -> None:
        """Find out how many are wanted, and see to it.

        Parameters:
          wall_ms: now, in milliseconds since the epoch, which is what the queue's times are.
        """
        now = self._crew.clock()
        if self._autoscaler is None or (self._looked_at is not None and now - self._looked_at < EVERY_S):
            return
        load = self._load(wall_ms, 0.0 if self._looked_at is None else now - self._looked_at)
        self._looked_at = now
        before, self.wanted = self.wanted, self._autoscaler.look(load, now)
        if self.wanted != before:
            wait_s = round(load.oldest_wait_s, 1)
            self._crew.emit(events.WorkersWanted(before, self.wanted, ready=load.ready, oldest_wait_s=wait_s))
        self._settle()

    def backlog(self) -> tuple[Backlog, ...] | None:
        """What waits, as the worker says that was heard last; None when none knows."""
        children = [slot.child for slot in self._crew.of_kind(self._spec.kind) if slot.child is not None]
        known = [child for child in children if child.heartbeat.backlog is not None]
        return max(known, key=lambda child: child.heard_at).heartbeat.backlog if known else None

    def _load(self, wall_ms: int, elapsed_s: float) -> Load:
        backlog = self.backlog() or ()
        dues = [queue.oldest_due_at_ms for queue in backlog if queue.oldest_due_at_ms is not None]
        done, busy_s = self._work_since_last_time()
        return Load(
            ready=sum(queue.ready for queue in backlog),
            oldest_wait_s=max(0.0, (wall_ms - min(dues)) / 1000) if dues else 0.0,
            done=done,
            busy_s=busy_s,
            elapsed_s=elapsed_s,
        )

    def _work_since_last_time(self) -> tuple[int, float]:
        totals = {
            slot.child.pid: (slot.child.heartbeat.done, slot.child.heartbeat.busy_s)
            for slot in self._crew.of_kind(self._spec.kind)
            if slot.child is not None
        }
        before, self._totals = self._totals, totals
        known = [(now, before.get(pid, (0, 0.0))) for pid, now in totals.items()]
        done = sum(now[0] - then[0] for now, then in known)
        return done, sum(max(0.0, now[1] - then[1]) for now, then in known)

    def _settle(self) -> None:
        present = [slot for slot in self._crew.of_kind(self._spec.kind) if self._counts(slot)]
        for _ in range(self.wanted - len(present)):
            self._crew.add(self._spec)
        spare = [slot for slot in present if slot.is_ready and not self._replacements.is_open(slot)]
        if len(present) > self.wanted and spare:
            self._crew.drain(spare[-1], "fewer workers are wanted")

    def _counts(self, slot: Slot) -> bool:
        return not slot.leaves and not self._replacements.is_candidate(slot)
