"""A simulated machine for a supervisor: it has no processes, and its clock stands still until `advance`."""

from __future__ import annotations

import itertools
from typing import Any

from ops.supervisor.control.children import Children
from ops.supervisor.control.lifecycle_events import Event
from ops.supervisor.control.plan import Plan
from ops.supervisor.control.slot import Slot
from ops.supervisor.control.supervisor import Supervisor
from ops.supervisor.policy.child_spec import ChildSpec
from ops.supervisor.policy.recycling import UsageLimits
from ops.supervisor.protocol.heartbeat import Heartbeat

#: The step of the clock, and the interval of the simulated heartbeats, in seconds.
STEP_S = 0.25

MB = 1_000_000


class Simulation:
    """Runs a supervisor on simulated processes.

    Parameters:
      workers: how many workers the plan has.
      limits: what a worker may use up.
      plan: further fields of the plan.
    """

    def __init__(self, *, workers: int = 2, limits: UsageLimits | None = None, **plan: Any) -> None:
        self.now = 1_000.0
        self.events: list[Event] = []
        self.names: dict[int, str] = {}
        self.told_to_stop: list[str] = []
        self.killed: list[str] = []
        self.reported: list[str] = []
        self.rss: dict[str, int] = {}
        self.silent: set[str] = set()
        self.beside_another: dict[str, bool] = {}
        self.no_room = False
        self._living: dict[int, Heartbeat] = {}
        self._numbers = itertools.count(100)
        self.random = 1.0
        children = Children(
            self,
            limits={"worker": limits or UsageLimits()},
            clock=lambda: self.now,
            random=lambda: self.random,
            emit=self.events.append,
        )
        self.supervisor = Supervisor(
            Plan(
                api=ChildSpec("api", ("api",), shutdown_timeout_s=20.0, listens=True),
                worker=ChildSpec(
                    "worker",
                    ("worker",),
                    count=workers,
                    shutdown_timeout_s=100.0,
                    work_counts_deaths=True,
                ),
                **plan,
            ),
            children,
        )

    # -- process control -------------------------------------------------------------------------------

    def start(self, slot: Slot) -> int:
        if self.no_room:
            raise OSError(11, "Resource temporarily unavailable")
        pid = next(self._numbers)
        assert slot.name not in self.living(), "a name is one living process's"
        self.names[pid] = slot.name
        self.beside_another[slot.name] = slot.another_serves
        self._living[pid] = Heartbeat("starting")
        return pid

    def terminate(self, pid: int) -> None:
        self.told_to_stop.append(self.names[pid])

    def kill(self, pid: int) -> None:
        self.killed.append(self.names[pid])

    def report_death(self, pid: int) -> None:
        self.reported.append(self.names[pid])

    def rss_bytes(self, pid: int) -> int:
        return self.rss.get(self.names[pid], 50 * MB)

    # -- what happens ----------------------------------------------------------------------------------

    def up(self) -> None:
        """Start all children, and make them ready."""
        self.supervisor.start()
        for name in self.living():
            self.send_heartbeat(name)

    def living(self) -> dict[str, int]:
        """Return the process ids of the living children, by name."""
        return {self.names[pid]: pid for pid in self._living}

    def send_heartbeat(self, name: str, **fields: Any) -> None:
        """Send a heartbeat of a child, now and at each step. Its state is ready by default."""
        pid = self.living()[name]
        self._living[pid] = Heartbeat(**{"state": "ready", **fields})
        self.supervisor.heartbeat_received(pid, self._living[pid])

    def dies(self, name: str, code: int = -9) -> None:
        """End a child's process."""
        pid = self.living()[name]
        del self._living[pid]
        assert self.supervisor.process_ended(pid, code)

    def advance(self, seconds: float) -> None:
        """Advance the clock, with a heartbeat of each child that is not silent."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + STEP_S)
            for pid, heartbeat in list(self._living.items()):
                if self.names[pid] not in self.silent:
                    self.supervisor.heartbeat_received(pid, heartbeat)
            self.supervisor.do_what_is_due(round(self.now * 1000))

    def emitted(self, kind: type[Event]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def states(self) -> dict[str, str]:
        return {slot.name: slot.state for slot in self.supervisor.slots}
