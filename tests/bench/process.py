"""How fast a backlog of messages that do nothing is worked off."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path

from dramatiq import Worker

from .contenders import QUEUE, THREADS, Kind, declare, enqueue_many, open_broker, wait_until_empty
from .figures import Bar, Figure, figure
from .harness import Bench, Child, apart, in_child
from .peers import huey_rate, litequeue_rate, persist_queue_rate
from .valkey import valkey

TITLE = "Processing: a backlog of no-op messages, 8 threads a process"

OURS, STUB, REDIS = "Recado", "Dramatiq StubBroker (in memory)", "Dramatiq RedisBroker (no AOF)"
ONE, TWO = "Recado, one process", "Recado, two processes"


def measure(bench: Bench) -> list[Figure]:
    count = bench.size(20_000, 1_000)
    fewer = bench.size(5_000, 200)  # the slow ones: a short backlog flatters them, if anything
    slow: dict[str, Callable[[Path], float]] = {
        "dramatiq-sqlite": apart(drain_file, kind="dramatiq-sqlite", count=fewer),
        "huey": apart(huey_rate, count=fewer),
        "litequeue": apart(litequeue_rate, count=fewer),
        "persist-queue": apart(persist_queue_rate, count=fewer),
    }
    rates = bench.interleaved(
        {
            STUB: apart(drain_file, kind="stub", count=count),
            OURS: apart(drain_file, kind="recado", count=count),
            REDIS: lambda directory: drain_valkey(directory, count=count),
            ONE: lambda directory: drain_together(directory, count=count, processes=1),
            TWO: lambda directory: drain_together(directory, count=count, processes=2),
            **slow,
        }
    )
    bars = {STUB: Bar("at least", 0.8), REDIS: Bar("at least", 6)}
    figures = [
        figure("messages/s", "/s", rates[OURS], peer=peer, theirs=rates[peer], bar=bars.get(peer))
        for peer in (STUB, REDIS, *slow)
    ]
    figures.insert(
        2,
        figure(
            "messages/s, two processes",
            "/s",
            rates[TWO],
            peer=ONE,
            theirs=rates[ONE],
            bar=Bar("more than", 1),
        ),
    )
    return figures


def drain_file(directory: Path, *, kind: Kind, count: int) -> float:
    """Messages/s of one process, this one, on a backlog in a file or in memory."""
    return drain(kind, str(directory / "queue.db"), count)


def drain_valkey(directory: Path, *, count: int) -> float:
    """Messages/s of one process of RedisBroker's."""
    with valkey(directory, aof="off") as url:
        return in_child(drain, "redis", url, count)


def drain(kind: Kind, where: str, count: int) -> float:
    """Make a backlog, then work it off; from the worker's start until the last acknowledgement is stored."""
    broker = open_broker(kind, where)
    calls, finished = itertools.count(1), threading.Event()

    def nothing(_body: str) -> None:
        if next(calls) == count:  # costs 50 ns, everywhere
            finished.set()

    declare(broker, nothing)
    enqueue_many(broker, "nothing", count)
    worker = Worker(broker, worker_threads=THREADS)
    began = time.perf_counter()
    worker.start()
    finished.wait()
    wait_until_empty(broker)
    return count / (time.perf_counter() - began)


def drain_together(directory: Path, *, count: int, processes: int) -> float:
    """Messages/s of several processes on one backlog."""
    where = str(directory / "queue.db")
    in_child(_make_backlog, where, count)
    with ExitStack() as stack:
        children = [stack.enter_context(Child(_work, where)) for _ in range(processes)]
        for child in children:
            child.result()
        began = time.monotonic()
        for child in children:
            child.send("go")
        ended: list[float] = [child.result() for child in children]
        return count / (max(ended) - began)


def _make_backlog(where: str, count: int) -> None:
    broker = open_broker("recado", where)
    broker.declare_queue(QUEUE)
    enqueue_many(broker, "nothing", count)
    broker.close()


def _work(channel: Connection, where: str) -> None:
    broker = open_broker("recado", where)

    def nothing(_body: str) -> None:
        pass

    declare(broker, nothing)
    channel.send("ready")
    channel.recv()
    Worker(broker, worker_threads=THREADS).start()
    wait_until_empty(broker, interval_ms=10)
    channel.send(time.monotonic())
