"""A queue that a worker of BullMQ's in Node and one of Recado's share, while both are killed."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import NamedTuple
from urllib.parse import urlsplit

from dramatiq import Message

from brokers import BullMQBroker

from .bullmq_node import ROOT, Node
from .messages import stats_of
from .redis_server import ask
from .waiting import eventually


class Shared(NamedTuple):
    """What came of it.

    Attributes:
      done: how often each job was done, by its name.
      by_node: how many were done in Node.
      killed: how many jobs killed their worker.
      deaths: how many workers died.
      took_s: how long all of it took, from when the queue was opened, in seconds.
    """

    done: dict[bytes, int]
    by_node: int
    killed: int
    deaths: int
    took_s: float


def share(
    node: Node,
    url: str,
    broker: BullMQBroker,
    queue: str,
    *,
    lock_s: int,
    jobs: int,
    lethal_every: int,
    within_s: float,
) -> Shared:
    """Have half of the jobs added by either side, and done by one worker of each kind.

    Parameters:
      broker: on the same server as `url`, for an empty queue.
      lock_s: how long a worker may be silent, in seconds; the broker's own.
      jobs: how many.
      lethal_every: of so many jobs of each side, one kills the first worker that begins it.
      within_s: a deadline, in seconds.
    """
    port = urlsplit(url).port or 6379
    broker.declare_queue(queue)
    ours = [f"python-{number}" for number in range(jobs // 2)]
    theirs = [f"node-{number}" for number in range(jobs // 2)]
    broker.backend.pause(queue)
    for name in ours:
        broker.enqueue(Message(queue_name=queue, actor_name="count", args=(name,), kwargs={}, options={}))
    assert node.ask(url, "addMany", queue, "count", str(len(theirs))) == len(theirs)
    lethal = [*ours[lethal_every // 4 :: lethal_every], *theirs[lethal_every // 2 :: lethal_every]]
    ask(port, "SADD", "lethal", *lethal)

    begin: dict[str, Callable[[], AbstractContextManager[subprocess.Popen[str]]]] = {
        "node": lambda: node.running(url, "test-worker.mjs", queue, str(1000 * lock_s)),
        "python": lambda: _recado_worker(url, queue, lock_s),
    }
    workers: dict[str, subprocess.Popen[str]] = {}
    deaths = 0
    with ExitStack() as stack:

        def is_all_done() -> bool:
            nonlocal deaths
            for kind, start in begin.items():
                if kind not in workers or workers[kind].poll() is not None:
                    deaths += kind in workers
                    workers[kind] = stack.enter_context(start())
            return bool(ask(port, "HLEN", "done") == jobs)

        is_all_done()
        began_s = time.monotonic()
        broker.backend.resume(queue)
        eventually(is_all_done, within_s=within_s, every_s=0.05)
        eventually(lambda: stats_of(broker.backend, queue).running == 0)
        took_s = time.monotonic() - began_s

    done = {name: int(count) for name, count in ask(port, "HGETALL", "done").items()}
    return Shared(done, int(ask(port, "GET", "done-by-node") or 0), len(lethal), deaths, took_s)


@contextmanager
def _recado_worker(url: str, queue: str, lock_s: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "tests.integration.bullmq_worker", url, queue, str(lock_s)]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as worker:
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
            yield worker
        finally:
            worker.kill()
