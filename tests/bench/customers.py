"""What a customer feels: the time from their message to its answer, when very many write at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from ops.processes import Processes
from ops.supervisor.errors import Unreachable
from ops.supervisor.status.status_client import fetch_status

from . import apps, outside, plain_apps, stamps
from .figures import Bar, Figure, figure, percentile
from .harness import Bench, BenchError, Child, in_child
from .load import press

TITLE = "Customers: all of them write at once, to `recado up` as it comes"

#: How long nothing may move, in seconds.
STUCK_AFTER_S = 60.0

LOOK_EVERY_S = 0.1

#: How long a model takes whose calls are to wait, in seconds.
WAITING_S = 45.0

#: What becomes of a reply that a killed worker was just sending. By default a person decides about one that
#: Twilio does not list. Here it is sent again, since the bench's Twilio lists all that it accepted.
IN_DOUBT = {"REPLY_RECONCILE_DELAYS_S": "1", "REPLY_UNKNOWN_POLICY": "resend"}

#: How long a model that refuses calls may take to be understood, in seconds.
SETTLED_AFTER_S = 5.0

#: How many calls at a time a model takes that refuses others.
TAKES = 50


class Felt(NamedTuple):
    """What came of it.

    Attributes:
      p50_s, p95_s: from the first webhook of all to a contact's answer, in seconds.
      per_second: answers, until the last.
      memory_mb: of all processes together, at most: what is theirs alone, and a share of what they share.
      most_calls: how many calls the model had in hand at a time, at most.
      refused: the share of calls that the model refused, after the first `SETTLED_AFTER_S`.
    """

    p50_s: float
    p95_s: float
    per_second: float
    memory_mb: float
    most_calls: int
    refused: float


def measure(bench: Bench) -> list[Figure]:
    figures: list[Figure] = []
    for contacts, model_s, most in ((1_000, 5.0, 0.6), (5_000, 5.0, 0.8)):
        count, seconds = bench.size(contacts, 40), bench.size(model_s, 0.2)
        runs = bench.interleaved(
            {
                "Recado": partial(recado, contacts=count, model_s=seconds),
                "Recado, a worker killed": partial(recado, contacts=count, model_s=seconds, kills=True),
                "BackgroundTasks": partial(background_tasks, contacts=count, model_s=seconds),
                "dbos": partial(dbos, contacts=count, model_s=seconds),
            }
        )
        what, peer = f"{contacts:,} contacts, a model of {model_s:g} s", "async BackgroundTasks"
        ours, killed, theirs, durable = runs.values()
        figures += [
            figure(
                f"{what}: answered within, 50 %",
                "s",
                [run.p50_s for run in ours],
                peer=peer,
                theirs=[run.p50_s for run in theirs],
            ),
            figure(
                f"{what}: answered within, 95 %",
                "s",
                [run.p95_s for run in ours],
                peer=peer,
                theirs=[run.p95_s for run in theirs],
                bar=Bar("at most", most),
            ),
            figure(
                f"{what}: answered within, 95 %",
                "s",
                [run.p95_s for run in ours],
                peer="dbos",
                theirs=[run.p95_s for run in durable],
            ),
            figure(f"{what}: the same, a worker killed meanwhile", "s", [run.p95_s for run in killed]),
            figure(
                f"{what}: memory of all processes",
                "MB",
                [run.memory_mb for run in ours],
                peer=peer,
                theirs=[run.memory_mb for run in theirs],
                bar=Bar("less than", 600, of="figure") if contacts == 1_000 else None,
            ),
            figure(f"{what}: calls in flight, at most", "", [run.most_calls for run in ours]),
        ]
    return [*figures, *_at_once(bench), *_pickups(bench), *_busy_model(bench)]


def _at_once(bench: Bench) -> list[Figure]:
    contacts = bench.size(1_000, 40)
    runs = bench.interleaved(
        {
            "Recado, model at once": partial(recado, contacts=contacts, model_s=0.0),
            "BackgroundTasks, model at once": partial(background_tasks, contacts=contacts, model_s=0.0),
            "dbos, model at once": partial(dbos, contacts=contacts, model_s=0.0),
        }
    )
    ours, forgetful, durable = ([run.per_second for run in each] for each in runs.values())
    what = f"{contacts:,} contacts, a model that answers at once: answers/s"
    return [
        figure(what, "/s", ours, peer="async BackgroundTasks", theirs=forgetful),
        figure(what, "/s", ours, peer="dbos", theirs=durable, bar=Bar("at least", 3)),
    ]


def _pickups(bench: Bench) -> list[Figure]:
    calls, messages = bench.size(1_000, 40), bench.size(100, 10)
    what = f"while {calls:,} calls wait"
    [runs] = bench.interleaved(
        {what: partial(pickups_while_calls_wait, calls=calls, messages=messages)}
    ).values()
    return [
        figure(
            f"{what}: pick-up in {name}, p99",
            "ms",
            [percentile(run[queue], 99) for run in runs],
            bar=Bar("less than", 20, of="figure"),
        )
        for queue, name in (("replies", "the queue of replies"), ("own", "a queue of one's own"))
    ]


def _busy_model(bench: Bench) -> list[Figure]:
    contacts, model_s = bench.size(2_000, 60), bench.size(1.0, 0.2)
    what = f"a model of {model_s:g} s that refuses more than {TAKES} calls"
    [runs] = bench.interleaved(
        {what: partial(recado, contacts=contacts, model_s=model_s, takes=TAKES)}
    ).values()
    return [
        figure(
            f"{what}: refused after {SETTLED_AFTER_S:g} s",
            "%",
            [100 * run.refused for run in runs],
            bar=Bar("less than", 5, of="figure"),
        ),
        figure(
            f"{what}: answers/s",
            "/s",
            [run.per_second for run in runs],
            peer="all it can take",
            theirs=[TAKES / model_s],
            bar=Bar("at least", 0.9),
        ),
    ]


def recado(
    directory: Path, contacts: int, model_s: float, *, takes: int | None = None, kills: bool = False
) -> Felt:
    """Have them write to `recado up`.

    Parameters:
      takes: how many calls the model takes at a time; None for no limit.
      kills: a worker is killed when a tenth of them have their answer.
    """
    with Child(outside.serve, model_s, takes) as model:
        port = model.result()
        with _up(directory, {**apps.outside_settings(port), **(IN_DOUBT if kills else {})}) as up:
            return _felt(up.port, port, contacts, up.pid, victim=up.worker if kills else None)


def pickups_while_calls_wait(directory: Path, calls: int, messages: int) -> dict[str, list[float]]:
    """How long messages of other queues take to begin while so many calls wait, in milliseconds, by queue."""
    with Child(outside.serve, WAITING_S) as model:
        port = model.result()
        settings = apps.outside_settings(port)
        with (
            _up(directory, settings, "--module", "tests.bench.stamps") as up,
            httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=STUCK_AFTER_S) as client,
        ):
            in_child(press, up.port, requests=calls, warm_up=0, connections=calls)
            _wait_for(lambda: client.get("/").json()[1] >= calls)
            in_child(stamps.send, directory, settings, messages)
            _wait_for(lambda: sum(map(len, stamps.read(directory).values())) == 2 * messages)
            return stamps.read(directory)


class _Up(NamedTuple):
    """A running `recado up`: its process, one of its workers', and the port of its API."""

    pid: int
    worker: int
    port: int


@contextmanager
def _up(directory: Path, settings: Mapping[str, str], *arguments: str) -> Iterator[_Up]:
    with Processes(directory, {**settings, "API_PORT": "0", "LOG_LEVEL": "WARNING"}) as processes:
        pid = processes.start("up", "up", *arguments)
        status: dict[str, Any] = {}

        def is_ready() -> bool:
            try:
                status.update(fetch_status(directory / "run", timeout_s=STUCK_AFTER_S))
            except Unreachable:
                return False
            return all(child["state"] == "ready" for child in status["children"])

        _wait_for(is_ready)
        worker = next(child["pid"] for child in status["children"] if child["name"] == "worker-1")
        yield _Up(pid, worker, int(status["supervisor"]["address"].rpartition(":")[2]))


def background_tasks(directory: Path, contacts: int, model_s: float) -> Felt:
    """Have them write to the FastAPI application that people write first."""
    return _plain(plain_apps.serve_background_tasks, directory, contacts, model_s)


def dbos(directory: Path, contacts: int, model_s: float) -> Felt:
    """Have them write to the same application on dbos, which stores what it is to do."""
    return _plain(plain_apps.serve_dbos, directory, contacts, model_s)


def _plain(serve: Callable[..., None], directory: Path, contacts: int, model_s: float) -> Felt:
    with ExitStack() as stack:
        port = stack.enter_context(Child(outside.serve, model_s)).result()
        app = stack.enter_context(Child(serve, directory, port))
        return _felt(app.result(), port, contacts, app.pid)


def _felt(port: int, outside_port: int, contacts: int, pid: int, *, victim: int | None = None) -> Felt:
    # A connection for each: uvicorn reads none further while a background task of its last request runs.
    with httpx.Client(base_url=f"http://127.0.0.1:{outside_port}", timeout=STUCK_AFTER_S) as client:
        load = in_child(press, port, requests=contacts, warm_up=0, connections=contacts)
        memory_mb, moved_at, before, answered = 0.0, time.monotonic(), 0, dict[str, list[float]]()
        while len(answered) < contacts:
            time.sleep(LOOK_EVERY_S)
            memory_mb = max(memory_mb, _memory_mb(pid))
            answered, most_calls, refused = client.get("/").json()
            if len(answered) > before:
                before, moved_at = len(answered), time.monotonic()
            elif time.monotonic() - moved_at > STUCK_AFTER_S:
                raise BenchError(f"{len(answered):,} of {contacts:,} contacts were answered")
            if victim is not None and before >= contacts / 10:
                os.kill(victim, signal.SIGKILL)
                victim = None
    doubled = sum(len(times) > 1 for times in answered.values())
    if doubled:
        raise BenchError(f"{doubled:,} of {contacts:,} contacts were answered more than once")
    waits = [times[0] - load.began_at for times in answered.values()]
    settled_at = load.began_at + SETTLED_AFTER_S
    refusals = sum(at > settled_at for at in refused)
    taken = sum(times[0] > settled_at for times in answered.values())
    return Felt(
        p50_s=percentile(waits, 50),
        p95_s=percentile(waits, 95),
        per_second=contacts / max(waits),
        memory_mb=memory_mb,
        most_calls=most_calls,
        refused=refusals / max(1, refusals + taken),
    )


def _memory_mb(pid: int) -> float:
    """Of a process and all below it: what is theirs alone, and a share of what they share."""
    total, pids = 0, [pid]
    while pids:
        process = Path(f"/proc/{pids.pop()}")
        try:
            [line] = [
                line
                for line in (process / "smaps_rollup").read_text().splitlines()
                if line.startswith("Pss:")
            ]
            total += int(line.split()[1])
            for task in (process / "task").iterdir():
                pids += map(int, (task / "children").read_text().split())
        except OSError:  # it ended
            continue
    return total * 1024 / 1e6


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + STUCK_AFTER_S
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"Waited {STUCK_AFTER_S:g} s for {condition.__name__}")
        time.sleep(LOOK_EVERY_S)
