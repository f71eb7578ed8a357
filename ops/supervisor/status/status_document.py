"""The status: the supervisor and its children as a JSON document. docs/supervisor.md lists its fields."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import Any

from ..control.slot import Slot
from ..control.supervisor import Supervisor
from ..operating_system import rss_bytes


def status_document(
    supervisor: Supervisor, *, address: str, started_at: float, lines_dropped: int, now: float, wall_ms: int
) -> dict[str, Any]:
    """Return the status of the supervisor and its children.

    Parameters:
      supervisor: the supervisor.
      address: the URL of the API.
      started_at: when the supervisor was started, in seconds of the monotonic clock.
      lines_dropped: how many log lines were dropped because their reader was too slow.
      now: the time, in seconds of the monotonic clock.
      wall_ms: the time, in milliseconds since the epoch.
    """
    backlog = supervisor.scaling.backlog()
    pid = os.getpid()
    return {
        "supervisor": {
            "pid": pid,
            "state": supervisor.state,
            "address": address,
            "uptime_s": round(now - started_at, 1),
            "rss_bytes": rss_bytes(pid),
            "cpu_s": round(sum(os.times()[:2]), 2),
            "workers_wanted": supervisor.scaling.wanted,
            "log_lines_dropped": lines_dropped,
        },
        "backlog": None
        if backlog is None
        else [
            {
                "queue": queue.queue,
                "ready": queue.ready,
                "oldest_wait_s": None
                if queue.oldest_due_at_ms is None
                else round(max(0, wall_ms - queue.oldest_due_at_ms) / 1000, 1),
            }
            for queue in backlog
        ],
        "restarts": [
            {"kind": kind, "reason": reason, "count": count}
            for (kind, reason), count in sorted(supervisor.restarts.items())
        ],
        "children": [_child(slot, now) for slot in sorted(supervisor.slots, key=_order)],
    }


def _order(slot: Slot) -> tuple[str, int]:
    return slot.spec.kind, slot.number


def _child(slot: Slot, now: float) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": slot.name,
        "kind": slot.spec.kind,
        "state": slot.state,
        "restarts": slot.restarts,
        "last_end": slot.last_end,
        "failed": slot.failed,
        "starts_in_s": None if slot.start_at is None else round(max(0.0, slot.start_at - now), 1),
        "pid": None,
    }
    child = slot.child
    if child is None:
        return entry
    heartbeat = child.heartbeat
    return entry | {
        "pid": child.pid,
        "uptime_s": round(now - child.started_at, 1),
        "heard_s_ago": round(now - child.heard_at, 1),
        "stopping_because": child.stop_reason,
        "rss_bytes": child.rss_bytes or rss_bytes(child.pid),
        "running": heartbeat.running,
        "stuck": heartbeat.stuck,
        "done": heartbeat.done,
        "threads": heartbeat.threads,
        "oldest_job": None if heartbeat.job is None else asdict(heartbeat.job),
        "queue_error": heartbeat.queue_error,
    }
