"""What a durable front door costs: webhooks to one API process."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from . import apps
from .figures import Bar, Figure, figure
from .harness import Bench, BenchError, Child, in_child
from .load import Load, press

TITLE = "Webhooks: one API process, 16 keep-alive connections"

CONNECTIONS = 16

#: How long nothing may happen while something is to come, in seconds.
STUCK_AFTER_S = 30.0


class Served(NamedTuple):
    """What came of a load.

    Attributes:
      replied_per_second: all its messages, by the time until the last of them had its reply; 0 where
        nobody replies.
    """

    load: Load
    replied_per_second: float


def measure(bench: Bench) -> list[Figure]:
    requests, warm_up = bench.size(10_000, 300), bench.size(1_000, 100)

    def under_load(kind: apps.Kind, *, with_worker: bool = False) -> Callable[[Path], Served]:
        return lambda directory: serve(directory, kind, requests, warm_up, with_worker=with_worker)

    results = bench.interleaved(
        {
            "no enqueue": under_load("no-enqueue"),
            "Recado": under_load("recado"),
            "BackgroundTasks": under_load("background-tasks"),
            "Recado and a worker": under_load("recado", with_worker=True),
        }
    )
    answered = {name: [run.load.per_second for run in runs] for name, runs in results.items()}
    replied = {name: [run.replied_per_second for run in runs] for name, runs in results.items()}
    p99s = {name: [run.load.p99_ms for run in runs] for name, runs in results.items()}
    stub, old = "the same app, nothing stored", "the same app, BackgroundTasks"
    ours, worked = answered["Recado"], "Recado and a worker"
    return [
        figure("requests/s", "/s", ours, peer=stub, theirs=answered["no enqueue"], bar=Bar("at least", 0.7)),
        figure(
            "requests/s that can be kept up",
            "/s",
            ours,
            peer=old,
            theirs=replied["BackgroundTasks"],
            bar=Bar("at least", 2),
        ),
        figure("requests/s for a while", "/s", ours, peer=old, theirs=answered["BackgroundTasks"]),
        figure("p99", "ms", p99s["Recado"], peer=stub, theirs=p99s["no enqueue"], bar=Bar("less than", 2)),
        figure("p99", "ms", p99s["Recado"], peer=old, theirs=p99s["BackgroundTasks"]),
        figure(
            "with a worker: requests/s", "/s", answered[worked], peer=old, theirs=answered["BackgroundTasks"]
        ),
        figure("with a worker: p99", "ms", p99s[worked], peer=old, theirs=p99s["BackgroundTasks"]),
        figure(
            "with a worker: replies/s", "/s", replied[worked], peer=old, theirs=replied["BackgroundTasks"]
        ),
    ]


def serve(directory: Path, kind: apps.Kind, requests: int, warm_up: int, *, with_worker: bool) -> Served:
    """Run an application and its load, each in a process of its own."""
    with ExitStack() as stack:
        port = stack.enter_context(Child(apps.serve, kind, directory)).result()
        if with_worker:
            stack.enter_context(Child(apps.work, directory)).result()
            _wait_for(
                lambda: b"worker started" in (directory / "worker.log").read_bytes(), "a worker's start"
            )
        load = in_child(press, port, requests=requests, warm_up=warm_up, connections=CONNECTIONS)
        if kind != "background-tasks" and not with_worker:
            return Served(load, 0.0)
        _wait_for_replies(apps.outbox(directory), requests + warm_up)
        return Served(load, (requests + warm_up) / (time.monotonic() - load.began_at))


def _wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + STUCK_AFTER_S
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"Waited {STUCK_AFTER_S:g} s for {what}")
        time.sleep(0.02)


def _wait_for_replies(outbox: Path, count: int) -> None:
    _wait_for(outbox.exists, "the first reply")
    replies, moved_at = 0, time.monotonic()
    with outbox.open("rb") as file:
        while replies < count:
            if new := file.read().count(b"\n"):
                replies, moved_at = replies + new, time.monotonic()
            elif time.monotonic() - moved_at > STUCK_AFTER_S:
                raise BenchError(f"{replies:,} of {count:,} messages had their reply")
            time.sleep(0.02)
