"""Whether a child is still able to do its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .cause import Cause
from .heartbeat import Heartbeat

#: kill: it cannot even be asked to stop, or has nothing left that could end by itself.
#: replace: another takes its place first, then it may finish what it can.
Cure = Literal["kill", "replace"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with a child, and what to do about it."""

    cure: Cure
    cause: Cause


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a child may say nothing.

    Attributes:
      timeout_s: how long, in seconds.
    """

    timeout_s: float


def is_silent(heard_s_ago: float, patience: Patience) -> Diagnosis | None:
    """A process that is stopped, or in which nothing gets its turn, sends no heartbeats."""
    if heard_s_ago <= patience.timeout_s:
        return None
    return Diagnosis("kill", Cause("hung", f"hung: no heartbeat for {heard_s_ago:.1f} s"))


def is_impaired(heartbeat: Heartbeat) -> Diagnosis | None:
    """A ready child that answers, and yet is not whole."""
    if heartbeat.stuck:
        job = heartbeat.job
        what = "a message" if job is None else f"{job.actor} {job.message_id}"
        since = "" if job is None else f" after {job.running_s:.0f} s"
        what += f" is past its time limit{since} and cannot be interrupted"
        return Diagnosis("replace", Cause("stuck", f"stuck: {what}"))
    if heartbeat.lost_threads:
        return Diagnosis("replace", Cause("lost_threads", f"lost {heartbeat.lost_threads} of its threads"))
    return None


def cannot_finish(heartbeat: Heartbeat) -> Diagnosis | None:
    """A draining child in which only what is stuck still runs: no use in waiting."""
    if heartbeat.stuck and heartbeat.stuck == heartbeat.running:
        what = f"{heartbeat.stuck} message(s) past their time limit are all it runs"
        return Diagnosis("kill", Cause("stuck", f"stuck: {what}"))
    return None
