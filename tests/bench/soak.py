"""Whether memory or the write-ahead log grow while very many messages pass through."""

from __future__ import annotations

import itertools
import os
import threading
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from dramatiq import Worker

from brokers.sqlite import SQLiteBackend

from .contenders import BODY, THREADS, declare, open_broker
from .figures import Bar, Figure, figure, slope
from .harness import Bench, BenchError, Child

TITLE = "Soak: one worker process, a backlog that stays bounded"

#: How many messages wait at most.
BACKLOG = 5_000

#: Threads that enqueue.
SENDERS = 16

#: The first part of the messages, while caches and pools fill up.
WARM_UP = 0.1

SAMPLE_EVERY_S = 0.5

#: How long nothing may move, in seconds.
STUCK_AFTER_S = 60.0

MB = 1_000_000


class Sample(NamedTuple):
    """How it stood at one time."""

    done: int
    rss_mb: float
    wal_mb: float


def measure(bench: Bench) -> list[Figure]:
    count = bench.size(1_000_000, 20_000)
    with bench.directory() as directory:
        began = time.monotonic()
        samples = _soak(directory / "queue.db", count, bench)
        elapsed_s = time.monotonic() - began
    warm = [sample for sample in samples if sample.done >= count * WARM_UP]
    rss = [sample.rss_mb for sample in warm]
    return [
        figure(
            "memory of the worker: growth after the first tenth",
            "MB",
            [max(rss) - rss[0]],
            bar=Bar("less than", 20, of="figure"),
        ),
        figure("memory of the worker: most", "MB", [max(sample.rss_mb for sample in samples)]),
        figure(
            "memory of the worker: growth per million messages, fitted",
            "MB",
            [slope([(sample.done / 1e6, sample.rss_mb) for sample in warm])],
        ),
        figure(
            "write-ahead log: most",
            "MB",
            [max(sample.wal_mb for sample in samples)],
            bar=Bar("less than", 64, of="figure"),
        ),
        figure(
            "write-ahead log: growth per million messages, fitted",
            "MB",
            [slope([(sample.done / 1e6, sample.wal_mb) for sample in warm])],
        ),
        figure("messages/s, enqueued one by one and processed", "/s", [count / elapsed_s]),
    ]


def _soak(path: Path, count: int, bench: Bench) -> list[Sample]:
    samples = []
    with (
        closing(SQLiteBackend(path)) as backend,
        Child(_work, str(path)) as worker,
        Child(_send, str(path), count),
    ):
        worker.result()
        moved_at, done, said = time.monotonic(), 0, 0
        while done < count:
            time.sleep(SAMPLE_EVERY_S)
            sample = Sample(_done(backend), _rss_mb(worker.pid), backend.database.wal_bytes() / MB)
            samples.append(sample)
            if sample.done > done:
                moved_at, done = time.monotonic(), sample.done
            if time.monotonic() - moved_at > STUCK_AFTER_S:
                raise BenchError(f"Nothing moved for {STUCK_AFTER_S:g} s, after {done:,} messages")
            if done * 10 // count > said:
                said = done * 10 // count
                bench.say(f"{done:,} messages, {sample.rss_mb:.0f} MB, WAL {sample.wal_mb:.0f} MB")
    return samples


def _done(backend: SQLiteBackend) -> int:
    return sum(stats.done or 0 for stats in backend.stats())


def _rss_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def _work(channel: Connection, where: str) -> None:
    broker = open_broker("recado", where)
    declare(broker, _nothing)
    Worker(broker, worker_threads=THREADS).start()
    channel.send("ready")
    channel.recv()


def _send(_channel: Connection, where: str, count: int) -> None:
    broker = open_broker("recado", where)
    actor = declare(broker, _nothing)
    tickets = itertools.count()
    done = 0

    def run() -> None:
        while (ticket := next(tickets)) < count:
            while ticket - done > BACKLOG:
                time.sleep(0.02)
            actor.send(BODY)

    senders = [threading.Thread(target=run) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    backend = SQLiteBackend(where)
    while any(sender.is_alive() for sender in senders):
        done = _done(backend)
        time.sleep(0.05)


def _nothing(_body: str) -> None:
    pass
