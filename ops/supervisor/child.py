"""A process that runs, and the slot it runs in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from .cause import Cause
from .heartbeat import Heartbeat
from .recycling import Limits, Wear
from .restarts import Death, Restarts
from .spec import ChildSpec

SlotState = Literal["starting", "ready", "draining", "waiting", "failed"]


@dataclass(slots=True)
class Child:
    """One process. Times are seconds of the monotonic clock.

    Attributes:
      pid: its process id; it leads a session of its own.
      started_at: when it was started.
      heard_at: when it last sent a heartbeat.
      ready_at: when it first said that it is ready; None as long as it has not.
      heartbeat: the last one.
      rss_bytes: its resident memory when last looked at.
      wear: what it has used up.
      stop_reason: why it was told to stop; None as long as it was not.
      kill_at: when it is killed unless it has ended by then.
      kill_cause: why we killed it; None as long as it was not.
    """

    pid: int
    started_at: float
    wear: Wear
    heard_at: float = 0.0
    ready_at: float | None = None
    heartbeat: Heartbeat = field(default_factory=lambda: Heartbeat("starting"))
    rss_bytes: int = 0
    stop_reason: str | None = None
    kill_at: float | None = None
    kill_cause: Cause | None = None

    @property
    def state(self) -> Literal["starting", "ready", "draining"]:
        if self.stop_reason is not None or self.kill_cause is not None:
            return "draining"
        return "starting" if self.ready_at is None else "ready"

    @property
    def accepts(self) -> bool:
        """Whether it was told to listen, does, and was not told to stop."""
        return self.state != "draining" and self.heartbeat.state in {"unready", "ready"}

    @property
    def job_name(self) -> str | None:
        """What it was running when last heard of, for a person."""
        job = self.heartbeat.job
        return None if job is None else f"{job.actor} {job.message_id}"

    def death(self, code: int, now: float) -> Death:
        ready_s = None if self.ready_at is None else now - self.ready_at
        return Death(code, ready_s, at_work=self.heartbeat.running > 0)


class Slot:
    """A place for one child at a time, with a name that outlives it.

    Parameters:
      spec: what the child is to be.
      number: of its kind.
      random: gives numbers from 0 to 1, for pauses.

    Attributes:
      child: the process that runs here; None when none does.
      start_at: when one is to be started; None when none is.
      failed: why it was given up; None unless it was.
      leaves: the slot goes when its child does.
      restarts: how often a child was started after another had died.
      last_end: how the last one ended, and why.
      last_code: its exit code.
      another_serves: when a child was last started here, another one of its kind was accepting.
      no_replacement_before: a replacement failed: not another one before this.
    """

    def __init__(self, spec: ChildSpec, number: int, random: Callable[[], float]) -> None:
        self.spec = spec
        self.number = number
        self.policy = Restarts(spec, random)
        self.child: Child | None = None
        self.start_at: float | None = None
        self.failed: str | None = None
        self.leaves = False
        self.restarts = 0
        self.last_end: str | None = None
        self.last_code: int | None = None
        self.another_serves = False
        self.no_replacement_before = 0.0

    @property
    def name(self) -> str:
        return f"{self.spec.kind}-{self.number}"

    @property
    def state(self) -> SlotState:
        if self.child is not None:
            return self.child.state
        return "waiting" if self.failed is None else "failed"

    @property
    def is_ready(self) -> bool:
        return self.child is not None and self.child.state == "ready"

    @property
    def accepts(self) -> bool:
        return self.child is not None and self.child.accepts


def new_child(pid: int, limits: Limits, now: float) -> Child:
    """A process that was started just now."""
    return Child(pid, started_at=now, wear=Wear(limits), heard_at=now)
