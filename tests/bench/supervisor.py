"""What being supervised costs, and how soon the supervisor does what it is there for."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ops.processes import Processes
from ops.supervisor.errors import Unreachable
from ops.supervisor.status.status_client import fetch_status
from tests.support.traffic import Traffic

from .figures import Bar, Figure, figure
from .harness import Bench, BenchError
from .load import AUTH_TOKEN, PUBLIC_URL

TITLE = "Supervisor: one API and two workers under `recado up`"

#: How long anything may take, in seconds. A deadline for what would otherwise hang, not a measure.
WITHIN_S = 60.0

#: How often it is looked whether something has happened, in seconds: what a figure is too large by, at most.
LOOK_EVERY_S = 0.002

#: The load of a reload, in webhooks a second.
PER_S = 200

_TICKS = os.sysconf("SC_CLK_TCK")

T = TypeVar("T")


class Idle(NamedTuple):
    """A system without work: shares of a core in per cent, and memory."""

    supervisor_percent: float
    supervisor_mb: float
    worker_percent: float


class Kill(NamedTuple):
    """After `kill -9` of a worker, in milliseconds: until there is another process, and until it is ready."""

    started_ms: float
    ready_ms: float


def measure(bench: Bench) -> list[Figure]:
    with bench.directory() as directory, _up(directory) as up:
        bench.say("idle")
        idle = _idle(up, bench.size(60.0, 8.0))
    kills, failed, reload_s, gone = [], [], [], []
    for run in range(bench.runs):
        bench.say(f"kill, reload, kill, run {run + 1} of {bench.runs}")
        with bench.directory() as directory, _up(directory) as up:
            kills.append(_kill_a_worker(up))
            one_failed, one_s = _reload(up)
            failed.append(one_failed)
            reload_s.append(one_s)
            gone.append(_kill_the_supervisor(up))
    return [
        figure("idle: of a core", "%", [idle.supervisor_percent], bar=Bar("less than", 0.5, of="figure")),
        figure("idle: resident memory", "MB", [idle.supervisor_mb], bar=Bar("less than", 50, of="figure")),
        figure("an idle worker below it: of a core", "%", [idle.worker_percent]),
        _slowest("a killed worker: until another process", [kill.started_ms for kill in kills], 1_000),
        _slowest("a killed worker: until that is ready", [kill.ready_ms for kill in kills], 5_000),
        _slowest("the supervisor killed: until nothing is left", gone, 1_000),
        figure(
            f"reload at {PER_S} webhooks/s: failed", "", failed, bar=Bar("at most", 0, of="figure"), of=sum
        ),
        figure(f"reload at {PER_S} webhooks/s: takes", "s", reload_s),
    ]


def _slowest(what: str, values_ms: list[float], limit_ms: float) -> Figure:
    return figure(f"{what}, slowest", "ms", values_ms, bar=Bar("less than", limit_ms, of="figure"), of=max)


class _Up(NamedTuple):
    directory: Path
    pid: int

    def status(self) -> dict[str, Any]:
        return fetch_status(self.directory / "run", timeout_s=WITHIN_S)

    def children(self) -> dict[str, dict[str, Any]]:
        return {child["name"]: child for child in self.status()["children"]}

    def is_ready(self) -> bool:
        try:
            status = self.status()
        except Unreachable:
            return False
        ready = all(child["state"] == "ready" for child in status["children"])
        return status["supervisor"]["state"] == "running" and ready


@contextmanager
def _up(directory: Path) -> Iterator[_Up]:
    settings = {
        "API_PORT": "0",
        "LOG_LEVEL": "WARNING",
        "PUBLIC_BASE_URL": PUBLIC_URL,
        "REPLY_GATHER_MS": "0",
        "REPLY_SENDER": "console",
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "WORKERS": "2",
    }
    with Processes(directory, settings) as processes:
        up = _Up(directory, processes.start(f"up-{secrets.token_hex(2)}", "up"))
        _wait_for(up.is_ready)
        yield up


def _wait_for(condition: Callable[[], T]) -> T:
    deadline = time.monotonic() + WITHIN_S
    while not (result := condition()):
        if time.monotonic() > deadline:
            raise BenchError(f"Waited {WITHIN_S:g} s for {condition}")
        time.sleep(LOOK_EVERY_S)
    return result


def _idle(up: _Up, idle_s: float) -> Idle:
    worker = up.children()["worker-1"]["pid"]
    time.sleep(2.0)  # until what starting left to do is done
    before = _cpu_s(up.pid), _cpu_s(worker)
    time.sleep(idle_s)
    after = _cpu_s(up.pid), _cpu_s(worker)
    shares = [100 * (later - earlier) / idle_s for earlier, later in zip(before, after, strict=True)]
    return Idle(shares[0], up.status()["supervisor"]["rss_bytes"] / 1e6, shares[1])


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _kill_a_worker(up: _Up) -> Kill:
    pid = up.children()["worker-1"]["pid"]
    began = time.perf_counter()
    os.kill(pid, signal.SIGKILL)
    _wait_for(lambda: up.children()["worker-1"]["pid"] not in {None, pid})
    started_ms = (time.perf_counter() - began) * 1000
    _wait_for(up.is_ready)
    return Kill(started_ms, (time.perf_counter() - began) * 1000)


def _reload(up: _Up) -> tuple[int, float]:
    """How many requests failed, and how long it took, in seconds."""
    address = up.status()["supervisor"]["address"]
    with Traffic(address, AUTH_TOKEN, per_s=PER_S) as traffic:
        time.sleep(1.0)
        began = time.perf_counter()
        os.kill(up.pid, signal.SIGHUP)
        _wait_for(lambda: up.status()["supervisor"]["state"] == "reloading")
        _wait_for(lambda: up.status()["supervisor"]["state"] == "running")
        took_s = time.perf_counter() - began
        time.sleep(1.0)
    return len(traffic.sent) - traffic.answers()[200], took_s


def _kill_the_supervisor(up: _Up) -> float:
    """How long it took until its children were gone, in milliseconds."""
    children = [child["pid"] for child in up.children().values()]
    began = time.perf_counter()
    os.kill(up.pid, signal.SIGKILL)
    _wait_for(lambda: not any(_is_alive(pid) for pid in children))
    return (time.perf_counter() - began) * 1000


def _is_alive(pid: int) -> bool:
    """A zombie, which only waits to be waited for, is not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
