"""A slot, and the child that runs in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ..policy.cause import Cause
from ..policy.child_spec import ChildSpec
from ..policy.recycling import ChildUsage
from ..policy.restarts import Death, RestartPolicy
from ..protocol.heartbeat import Heartbeat

SlotState = Literal["starting", "ready", "draining", "waiting", "failed"]


@dataclass(slots=True)
class Child:
    """Describes one process. Times are seconds of the monotonic clock.

    Attributes:
      pid: the process id. The process leads a session of its own.
      started_at: when the child was started.
      usage: what the child has used up.
      heard_at: when the child last sent a heartbeat.
      ready_at: when the child first said that it is ready; None before that.
      heartbeat: the last heartbeat.
      rss_bytes: the resident memory when it was last measured.
      stop_reason: why the child was told to stop; None while it was not.
      kill_at: when the child is killed, unless it has ended by then.
      kill_cause: why the supervisor killed the child; None while it did not.
    """

    pid: int
    started_at: float
    usage: ChildUsage
    heard_at: float
    ready_at: float | None = None
    heartbeat: Heartbeat = field(default_factory=lambda: Heartbeat("starting"))
    rss_bytes: int = 0
    stop_reason: str | None = None
    kill_at: float | None = None
    kill_cause: Cause | None = None

    @property
    def state(self) -> Literal["starting", "ready", "draining"]:
        """Return where the child is between its start and its end."""
        if self.stop_reason is not None or self.kill_cause is not None:
            return "draining"
        return "starting" if self.ready_at is None else "ready"

    @property
    def accepts(self) -> bool:
        """Return whether the child accepts work, and was not told to stop."""
        return self.state != "draining" and self.heartbeat.state in {"unready", "ready"}

    @property
    def job_name(self) -> str | None:
        """Return the message that the last heartbeat names, for the operator."""
        job = self.heartbeat.job
        return None if job is None else f"{job.actor} {job.message_id}"

    def death(self, code: int, now: float) -> Death:
        """Describe the child's end.

        Parameters:
          code: the exit code, or minus the signal's number.
          now: the time.
        """
        ready_s = None if self.ready_at is None else now - self.ready_at
        return Death(code, ready_s, at_work=self.heartbeat.running > 0)


class Slot:
    """Holds one child at a time, under a name that stays when the child is restarted.

    Parameters:
      spec: the kind of the child.
      number: the slot's number among those of its kind.
      random: returns numbers from 0 to 1, for pauses.

    Attributes:
      policy: judges the deaths in this slot.
      child: the process that runs here; None when none does.
      start_at: when a child is to be started; None when none is.
      failed: why the slot was given up; None unless it was.
      is_leaving: whether the slot is removed when its child ends.
      restarts: how often a child was started here after another had died.
      last_end: how the last child ended, and why.
      last_code: the last child's exit code.
      another_serves: whether another child of the kind accepted work when a child was last started here.
      no_replacement_before: a replacement failed, and the next one may begin at this time.
    """

    def __init__(self, spec: ChildSpec, number: int, random: Callable[[], float]) -> None:
        self.spec = spec
        self.number = number
        self.policy = RestartPolicy(spec, random)
        self.child: Child | None = None
        self.start_at: float | None = None
        self.failed: str | None = None
        self.is_leaving = False
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
        """Return the state of the child, or what the slot waits for."""
        if self.child is not None:
            return self.child.state
        return "waiting" if self.failed is None else "failed"

    @property
    def is_ready(self) -> bool:
        return self.child is not None and self.child.state == "ready"

    @property
    def accepts(self) -> bool:
        """Return whether a child runs here that accepts work."""
        return self.child is not None and self.child.accepts
