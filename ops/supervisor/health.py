"""Whether a child is still able to do its work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .heartbeat import Heartbeat

#: kill: it cannot even be asked to stop, or has nothing left that could end by itself.
#: replace: another takes its place first, then it may finish what it can.
Cure = Literal["kill", "replace"]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong with a child, and what to do about it."""

    cure: Cure
    reason: str


def is_silent(heard_s_ago: float, timeout_s: float) -> Diagnosis | None:
    """A process that is stopped, or in which nothing gets its turn, sends no heartbeats."""
    if heard_s_ago <= timeout_s:
        return None
    return Diagnosis("kill", f"hung: no heartbeat for {heard_s_ago:.1f} s")


def is_impaired(heartbeat: Heartbeat) -> Diagnosis | None:
    """A ready child that answers, and yet is not whole."""
    if heartbeat.stuck:
        job = heartbeat.job
        what = "a message" if job is None else f"{job.actor} {job.message_id}"
        since = "" if job is None else f" after {job.running_s:.0f} s"
        return Diagnosis("replace", f"stuck: {what} is past its time limit{since} and cannot be interrupted")
    if heartbeat.lost_threads:
        return Diagnosis("replace", f"lost {heartbeat.lost_threads} of its threads")
    return None


def cannot_finish(heartbeat: Heartbeat) -> Diagnosis | None:
    """A draining child in which only what is stuck still runs: no use in waiting."""
    if heartbeat.stuck and heartbeat.stuck == heartbeat.running:
        return Diagnosis("kill", f"stuck: {heartbeat.stuck} message(s) past their time limit are all it runs")
    return None
