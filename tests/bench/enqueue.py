"""How fast messages are stored durably, and how fairly writers take turns."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

from .contenders import BODY, Kind, declare, open_broker
from .disk import appends_per_second
from .figures import Bar, Figure, figure, percentile
from .harness import Bench, Child, apart, in_child
from .valkey import Aof, valkey

TITLE = "Enqueueing: each message on disk when send() returns"

THREADS = 40
PROCESSES = 8

#: Into how many turns a run of one thread and of the disk is cut: from minute to minute the disk's own speed
#: changes by a third.
TURNS = 4

#: How long before the measurement the processes are told when it begins, in seconds.
NOTICE_S = 0.2


class Crowd(NamedTuple):
    """What several processes that enqueue at once made of it. Times in milliseconds."""

    p99_ms: float
    slowest_ms: float
    luckiest_to_unluckiest: float
    per_second: float


def measure(bench: Bench) -> list[Figure]:
    seconds = bench.size(5.0, 0.5)
    alone = bench.interleaved(
        {
            "fdatasync": apart(appends_per_second, seconds=seconds / TURNS),
            "one thread": apart(send_to_file, seconds=seconds / TURNS, threads=1),
        },
        turns=TURNS,
    )
    many = bench.interleaved(
        {
            "everysec": lambda directory: send_to_valkey(directory, aof="everysec", seconds=seconds),
            f"{THREADS} threads": apart(send_to_file, seconds=seconds, threads=THREADS),
            "always": lambda directory: send_to_valkey(directory, aof="always", seconds=seconds),
        }
    )
    crowds = bench.interleaved(
        {f"{PROCESSES} processes": lambda directory: crowd(directory, seconds=bench.size(5.0, 1.0))}
    )[f"{PROCESSES} processes"]
    ours = many[f"{THREADS} threads"]
    return [
        figure(
            "one thread",
            "/s",
            alone["one thread"],
            peer="the disk's own appends",
            theirs=alone["fdatasync"],
            bar=Bar("at least", 0.85),
        ),
        figure(
            f"{THREADS} threads",
            "/s",
            ours,
            peer="Dramatiq RedisBroker, AOF everysec",
            theirs=many["everysec"],
            bar=Bar("at least", 3),
        ),
        figure(
            f"{THREADS} threads",
            "/s",
            ours,
            peer="Dramatiq RedisBroker, AOF always",
            theirs=many["always"],
        ),
        figure(
            f"{PROCESSES} processes: p99",
            "ms",
            [run.p99_ms for run in crowds],
            bar=Bar("less than", 30, of="figure"),
        ),
        figure(
            f"{PROCESSES} processes: slowest of all runs",
            "ms",
            [run.slowest_ms for run in crowds],
            bar=Bar("less than", 150, of="figure"),
            of=max,
        ),
        figure(
            f"{PROCESSES} processes: luckiest to unluckiest",
            "",
            [run.luckiest_to_unluckiest for run in crowds],
            bar=Bar("at most", 1.5, of="figure"),
        ),
        figure(f"{PROCESSES} processes: all together", "/s", [run.per_second for run in crowds]),
    ]


def send_to_file(directory: Path, *, seconds: float, threads: int) -> float:
    """Messages/s into Recado's queue, from threads of this process."""
    return send("recado", str(directory / "queue.db"), seconds, threads)


def send_to_valkey(directory: Path, *, aof: Aof, seconds: float) -> float:
    """Messages/s through RedisBroker, from threads of one process."""
    with valkey(directory, aof=aof) as url:
        return in_child(send, "redis", url, seconds, THREADS)


def send(kind: Kind, where: str, seconds: float, threads: int) -> float:
    """Let threads send for a while; messages/s of all of them."""
    actor = declare(open_broker(kind, where), _nothing)
    counts = [0] * threads
    ready = threading.Barrier(threads + 1)

    def run(index: int) -> None:
        actor.send(BODY)  # opens connections, and is not counted
        ready.wait()
        deadline = time.perf_counter() + seconds
        while time.perf_counter() < deadline:
            actor.send(BODY)
            counts[index] += 1

    senders = [threading.Thread(target=run, args=(index,)) for index in range(threads)]
    for sender in senders:
        sender.start()
    ready.wait()
    began = time.perf_counter()
    for sender in senders:
        sender.join()
    return sum(counts) / (time.perf_counter() - began)


def crowd(directory: Path, *, seconds: float) -> Crowd:
    """Processes of one thread each, all enqueueing into one file."""
    where = str(directory / "queue.db")
    with ExitStack() as stack:
        children = [stack.enter_context(Child(_send_alone, where, seconds)) for _ in range(PROCESSES)]
        for child in children:
            child.result()
        begin_at = time.monotonic() + NOTICE_S
        for child in children:
            child.send(begin_at)
        waits: list[Sequence[float]] = [child.result() for child in children]
    counts = [len(waits_of_one) for waits_of_one in waits]
    all_waits = [1000 * wait_s for waits_of_one in waits for wait_s in waits_of_one]
    return Crowd(
        p99_ms=percentile(all_waits, 99),
        slowest_ms=max(all_waits),
        luckiest_to_unluckiest=max(counts) / max(1, min(counts)),
        per_second=len(all_waits) / seconds,
    )


def _send_alone(channel: Connection, where: str, seconds: float) -> None:
    actor = declare(open_broker("recado", where), _nothing)
    actor.send(BODY)
    channel.send("ready")
    begin_at: float = channel.recv()
    time.sleep(max(0.0, begin_at - time.monotonic()))
    waits: list[float] = []
    while (began := time.monotonic()) < begin_at + seconds:
        actor.send(BODY)
        waits.append(time.monotonic() - began)
    channel.send(waits)


def _nothing(_body: str) -> None:
    pass
