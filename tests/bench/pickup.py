"""How soon an idle worker in another process begins, and what being idle costs."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple, TypeVar

from dramatiq import Worker

from .contenders import BODY, THREADS, Kind, declare, open_broker
from .figures import Bar, Figure, figure, percentile
from .harness import Bench, BenchError, Child, in_child
from .valkey import valkey

K = TypeVar("K")
T = TypeVar("T")

TITLE = "Pick-up: from send() in one process to the actor's start in another, idle one"

PEER = "Dramatiq RedisBroker"
KINDS: dict[str, Kind] = {PEER: "redis", "Recado": "recado"}

#: How long the last message may take to arrive, in seconds.
ARRIVES_WITHIN_S = 30.0

#: How long a worker's start may take to be over, in seconds.
STARTS_WITHIN_S = 1.0


class Sending(NamedTuple):
    """How messages are sent: how many, and how long to pause before each, in seconds."""

    messages: int
    shortest_s: float
    longest_s: float


def measure(bench: Bench) -> list[Figure]:
    often = Sending(bench.size(500, 40) // bench.runs, 0.02, 0.08)
    seldom = Sending(bench.size(30, 4) // bench.runs, 1.0, 2.0)
    waits = bench.interleaved(
        {
            f"{name}, {pace}": _on(kind, waits_of, sending)
            for pace, sending in (("often", often), ("seldom", seldom))
            for name, kind in KINDS.items()
        }
    )

    def row(what: str, percent: float, pace: str, bar: Bar | None = None) -> Figure:
        def of(name: str) -> list[float]:
            return [percentile([wait for run in waits[f"{name}, {pace}"] for wait in run], percent)]

        return figure(what, "ms", of("Recado"), peer=PEER, theirs=of(PEER), bar=bar)

    idle_s = bench.size(60.0, 10.0)
    once = Bench(runs=1, quick=bench.quick, say=bench.say)
    idle = once.interleaved(
        {
            f"{PEER}, idle": _on("redis", idle_cpu_percent, idle_s),
            "Recado, idle": _on("recado", idle_cpu_percent, idle_s),
        }
    )
    return [
        row("a message every 20 to 80 ms: median", 50, "often", Bar("less than", 1.5, of="figure")),
        row("a message every 20 to 80 ms: p99", 99, "often", Bar("less than", 6, of="figure")),
        row("a message every 1 to 2 s: median", 50, "seldom"),
        row("a message every 1 to 2 s: slowest", 100, "seldom"),
        figure(
            f"an idle worker process, over {idle_s:.0f} s, of a core",
            "%",
            idle["Recado, idle"],
            peer=PEER,
            theirs=idle[f"{PEER}, idle"],
            bar=Bar("less than", 0.3, of="figure"),
        ),
    ]


def _on(kind: Kind, watch: Callable[[Kind, str, K], T], how: K) -> Callable[[Path], T]:
    """A contender: watches a worker on a fresh queue."""

    def contend(directory: Path) -> T:
        if kind == "redis":
            with valkey(directory, aof="everysec") as url:
                return watch(kind, url, how)
        return watch(kind, str(directory / "queue.db"), how)

    return contend


def waits_of(kind: Kind, where: str, sending: Sending) -> list[float]:
    """How long each message waited for an idle worker, in milliseconds."""
    with Child(idle_worker, kind, where) as worker:
        worker.result()
        time.sleep(STARTS_WITHIN_S)
        in_child(_send, kind, where, sending)
        deadline = time.monotonic() + ARRIVES_WITHIN_S
        while len(waits := _ask(worker)[1]) < sending.messages:
            if time.monotonic() > deadline:
                raise BenchError(f"{len(waits)} of {sending.messages} messages arrived")
            time.sleep(0.1)
        return waits


def idle_cpu_percent(kind: Kind, where: str, idle_s: float) -> float:
    """What a worker process without work takes of a core."""
    with Child(idle_worker, kind, where) as worker:
        worker.result()
        time.sleep(STARTS_WITHIN_S)
        before_s, _ = _ask(worker)
        time.sleep(idle_s)
        after_s, _ = _ask(worker)
        return 100 * (after_s - before_s) / idle_s


def _ask(worker: Child) -> tuple[float, list[float]]:
    """The worker process's CPU seconds, and the waits it has seen."""
    worker.send("how is it")
    answer: tuple[float, list[float]] = worker.result()
    return answer


def idle_worker(channel: Connection, kind: Kind, where: str) -> None:
    """A worker without work, which notes how long each message waited for it."""
    broker = open_broker(kind, where)
    waits_ms: list[float] = []

    def arrive(sent_at_ns: int, _body: str) -> None:
        # CLOCK_MONOTONIC is the machine's: every process reads the same.
        waits_ms.append((time.monotonic_ns() - sent_at_ns) / 1e6)

    declare(broker, arrive)
    Worker(broker, worker_threads=THREADS).start()
    channel.send("ready")
    while True:
        channel.recv()
        channel.send((time.process_time(), waits_ms))


def _send(kind: Kind, where: str, sending: Sending) -> None:
    def arrive(_sent_at_ns: int, _body: str) -> None:
        pass

    actor = declare(open_broker(kind, where), arrive)
    for _ in range(sending.messages):
        time.sleep(random.uniform(sending.shortest_s, sending.longest_s))  # noqa: S311  pauses, no secrets
        actor.send(time.monotonic_ns(), BODY)
