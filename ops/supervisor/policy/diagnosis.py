"""The diagnosis of a child that cannot do its work, and the remedy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ..protocol.heartbeat import Heartbeat
from .cause import Cause

#: kill: the child cannot be asked to stop, or runs nothing that could end by itself.
#: replace: another child becomes ready first; then this one may finish what it can.
Remedy = Literal["kill", "replace"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Names what is wrong with a child, and the remedy."""

    remedy: Remedy
    cause: Cause


def is_silent(heard_s_ago: float, *, timeout_s: float) -> Diagnosis | None:
    """Diagnose a child that sends no heartbeats: it is stopped, or blocked.

    Parameters:
      heard_s_ago: the time since the last heartbeat, in seconds.
      timeout_s: how long a child may be silent, in seconds.
    """
    if heard_s_ago <= timeout_s:
        return None
    return Diagnosis("kill", Cause("hung", f"hung: no heartbeat for {heard_s_ago:.1f} s"))


def is_impaired(heartbeat: Heartbeat) -> Diagnosis | None:
    """Diagnose a ready child that sends heartbeats, and cannot use all of its threads."""
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
    """Diagnose a draining child that runs nothing but stuck messages: waiting for it is of no use."""
    if heartbeat.stuck and heartbeat.stuck == heartbeat.running:
        what = f"{heartbeat.stuck} message(s) past their time limit are all it runs"
        return Diagnosis("kill", Cause("stuck", f"stuck: {what}"))
    return None
