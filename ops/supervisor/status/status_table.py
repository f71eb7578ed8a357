"""The table that `recado status` shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

_COLOURS = {"ready": "green", "failed": "red", "waiting": "yellow", "starting": "cyan", "draining": "cyan"}


def status_table(status: Mapping[str, Any]) -> RenderableType:
    """Return a line about the supervisor, a line about what waits, and a table of the children.

    Parameters:
      status: the status, as `status_document` makes it.
    """
    supervisor = status["supervisor"]
    line = (
        f"supervisor {supervisor['state']} at {supervisor['address']}, pid {supervisor['pid']}, up "
        f"{_time(supervisor['uptime_s'])}, {_memory(supervisor['rss_bytes'])}, "
        f"{supervisor['workers_wanted']} workers wanted"
    )
    if supervisor["log_lines_dropped"]:
        line += f", {supervisor['log_lines_dropped']:,} log lines dropped"
    return Group(line, *_backlog(status), _children(status))


def _backlog(status: Mapping[str, Any]) -> list[str]:
    waiting = [
        f"{queue['ready']:,} in {queue['queue']} for up to {_time(queue['oldest_wait_s'] or 0.0)}"
        for queue in status["backlog"] or ()
        if queue["ready"]
    ]
    if errors := {child.get("queue_error") for child in status["children"]} - {None}:
        waiting += sorted(f"the queue cannot be looked at: {escape(error)}" for error in errors)
    return [f"waiting: {', '.join(waiting)}"] if waiting else []


def _children(status: Mapping[str, Any]) -> Table:
    table = Table()
    for heading in ("child", "pid", "state"):
        table.add_column(heading)
    for heading in ("up", "memory", "running", "done", "restarts"):
        table.add_column(heading, justify="right")
    for heading in ("oldest job", "last end"):
        table.add_column(heading, overflow="fold")
    for child in status["children"]:
        colour = _COLOURS[child["state"]]
        has_process = child["pid"] is not None
        table.add_row(
            child["name"],
            str(child["pid"]) if has_process else "",
            f"[{colour}]{child['state']}[/]",
            _time(child["uptime_s"]) if has_process else "",
            _memory(child["rss_bytes"]) if has_process else "",
            f"{child['running']:,}" if has_process else "",
            f"{child['done']:,}" if has_process else "",
            f"{child['restarts']:,}",
            escape(_job(child.get("oldest_job"))),
            escape(child["failed"] or child["last_end"] or ""),
        )
    return table


def _job(job: Mapping[str, Any] | None) -> str:
    return "" if job is None else f"{job['actor']} {job['message_id'][:8]} {_time(job['running_s'])}"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7_200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.0f} h" if seconds < 172_800 else f"{seconds / 86_400:.0f} d"


def _memory(size: float) -> str:
    return f"{size / 1e6:,.0f} MB"
