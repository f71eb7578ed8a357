"""Recado on BullMQ's queues beside BullMQ's own workers, in Python and in Node, on the same server."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, TypeVar

from brokers import BullMQBroker
from tests.support.bullmq_node import Node, NoNode
from tests.support.bullmq_sharing import Shared, share

from .contenders import BODY, QUEUE, THREADS
from .figures import Figure, figure, percentile
from .harness import Bench, BenchError, Child, in_child
from .pickup import ARRIVES_WITHIN_S, STARTS_WITHIN_S, Sending, waits_of
from .process import drain
from .valkey import valkey

T = TypeVar("T")

TITLE = "BullMQ: Recado beside BullMQ's own workers, on the same server"

SUBJECT = "Recado on BullMQ"

#: How long a worker may be silent in the queue that is shared, and how long all of it may take, in seconds.
SHARED_LOCK_S, SHARED_WITHIN_S = 3, 300.0

OURS, PYTHON, NODE = "Recado on BullMQ", "bullmq (Python)", "BullMQ (Node)"


def measure(bench: Bench) -> list[Figure]:
    often = Sending(bench.size(500, 40) // bench.runs, 0.02, 0.08)
    count = bench.size(10_000, 500)
    with bench.directory() as directory:
        node = _node(directory, bench)
        rates: dict[str, Callable[[str], float]] = {
            OURS: lambda url: in_child(drain, "recado-bullmq", url, count),
            PYTHON: lambda url: in_child(_drain_in_python, url, count),
        }
        waits: dict[str, Callable[[str], list[float]]] = {
            OURS: lambda url: waits_of("recado-bullmq", url, often),
            PYTHON: lambda url: _waits_in_python(url, often),
        }
        if node is not None:
            rates[NODE] = lambda url: float(_said(node, url, "drain", count))
            waits[NODE] = lambda url: _waits_in_node(node, url, often)
        processed = bench.interleaved({f"{name}, processing": _on(rates[name]) for name in rates})
        waited = bench.interleaved({f"{name}, pick-up": _on(waits[name]) for name in waits})
        shared = None if node is None else _shared(node, directory, bench)
    figures = [] if shared is None else _of_the_shared(shared)
    for peer in [name for name in rates if name != OURS]:
        figures += _beside(peer, processed, waited)
    return figures


def _beside(
    peer: str, processed: Mapping[str, list[float]], waited: Mapping[str, list[list[float]]]
) -> list[Figure]:
    def pick_up(name: str, percent: float) -> list[float]:
        return [percentile([wait for run in waited[f"{name}, pick-up"] for wait in run], percent)]

    what = f"no-op messages/s, one process, {THREADS} at a time"
    theirs = processed[f"{peer}, processing"]
    figures = [figure(what, "/s", processed[f"{OURS}, processing"], peer=peer, theirs=theirs)]
    for name, percent in (("median", 50), ("p99", 99)):
        what = f"idle pick-up: {name}"
        figures.append(figure(what, "ms", pick_up(OURS, percent), peer=peer, theirs=pick_up(peer, percent)))
    return figures


def _on(measure: Callable[[str], T]) -> Callable[[Path], T]:
    """A contender: is measured on a fresh server."""

    def contend(directory: Path) -> T:
        with valkey(directory, aof="everysec") as url:
            return measure(url)

    return contend


# -- together ------------------------------------------------------------------------------------------


def _shared(node: Node, directory: Path, bench: Bench) -> Shared:
    """Have a worker in Node and one of Recado share a queue for a minute, while both are killed."""
    bench.say("a queue that Node and Recado share")
    jobs, every = bench.size(10_000, 400), bench.size(500, 100)
    # A server that syncs once a second keeps a sender waiting for as long, one message after the other.
    with valkey(directory, aof="always") as url, closing(BullMQBroker(url, lock_s=SHARED_LOCK_S)) as broker:
        return share(
            *(node, url, broker, QUEUE),
            lock_s=SHARED_LOCK_S,
            jobs=jobs,
            lethal_every=every,
            within_s=SHARED_WITHIN_S,
        )


def _of_the_shared(shared: Shared) -> list[Figure]:
    counts = shared.done.values()
    what = f"a queue shared with Node for {shared.took_s:.0f} s, {shared.deaths} workers killed: jobs done"
    return [
        figure(f"{what} once", "jobs", [sum(count == 1 for count in counts)]),
        figure(f"{what} more than once", "jobs", [sum(count > 1 for count in counts)]),
        figure(f"{what} in Node", "jobs", [shared.by_node]),
    ]


# -- BullMQ's package for Python -----------------------------------------------------------------------


def _drain_in_python(url: str, count: int) -> float:
    async def work() -> float:
        from bullmq import Queue, Worker

        queue = Queue(QUEUE, {"connection": url})
        jobs = [{"name": "nothing", "data": {"args": [BODY]}} for _ in range(count)]
        for at in range(0, count, 500):
            await queue.addBulk(jobs[at : at + 500])
        done, finished = 0, asyncio.Event()

        async def nothing(_job: Any, _token: str) -> None:
            nonlocal done
            done += 1
            if done == count:
                finished.set()

        began = time.perf_counter()
        options = {"connection": url, "concurrency": THREADS, "removeOnComplete": True}
        worker = Worker(QUEUE, nothing, options)
        await finished.wait()
        while (await queue.getJobCounts("active"))["active"]:
            pass
        took_s = time.perf_counter() - began
        await worker.close()
        await queue.close()
        return count / took_s

    return asyncio.run(work())


def _waits_in_python(url: str, sending: Sending) -> list[float]:
    with Child(_idle_in_python, url, sending.messages) as worker:
        worker.result()
        time.sleep(STARTS_WITHIN_S)
        in_child(_send_in_python, url, sending)
        waits: list[float] = worker.result()
        return waits


def _idle_in_python(channel: Connection, url: str, count: int) -> None:
    async def work() -> list[float]:
        from bullmq import Worker

        waits_ms: list[float] = []
        finished = asyncio.Event()

        async def arrive(job: Any, _token: str) -> None:
            waits_ms.append((time.monotonic_ns() - job.data["sent_at"]) / 1e6)
            if len(waits_ms) == count:
                finished.set()

        worker = Worker(QUEUE, arrive, {"connection": url, "concurrency": THREADS, "removeOnComplete": True})
        channel.send("ready")
        await finished.wait()
        await worker.close()
        return waits_ms

    channel.send(asyncio.run(work()))


def _send_in_python(url: str, sending: Sending) -> None:
    async def send() -> None:
        from bullmq import Queue

        queue = Queue(QUEUE, {"connection": url})
        for _ in range(sending.messages):
            # Pauses, no secrets.
            await asyncio.sleep(random.uniform(sending.shortest_s, sending.longest_s))  # noqa: S311
            await queue.add("arrive", {"sent_at": time.monotonic_ns(), "body": BODY})
        await queue.close()

    asyncio.run(send())


# -- BullMQ in Node ------------------------------------------------------------------------------------


def _node(directory: Path, bench: Bench) -> Node | None:
    try:
        return Node(directory)
    except NoNode as why:
        bench.say(f"without Node: {why}")
        return None


def _said(node: Node, url: str, *arguments: object) -> str:
    return node.run(url, "test-bench.mjs", QUEUE, str(THREADS), *map(str, arguments))


def _waits_in_node(node: Node, url: str, sending: Sending) -> list[float]:
    with node.running(url, "test-bench.mjs", QUEUE, str(THREADS), "wait") as worker:
        time.sleep(STARTS_WITHIN_S)
        shortest_ms, longest_ms = 1000 * sending.shortest_s, 1000 * sending.longest_s
        _said(node, url, "send", sending.messages, shortest_ms, longest_ms)
        assert worker.stdout is not None
        waits: list[float] = []
        deadline = time.monotonic() + ARRIVES_WITHIN_S
        while len(waits) < sending.messages:
            if time.monotonic() > deadline:
                raise BenchError(f"{len(waits)} of {sending.messages} jobs arrived")
            waits.append(float(worker.stdout.readline()))
        return waits
