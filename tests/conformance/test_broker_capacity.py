"""The queues of a process share its threads: nothing waits behind a busy process while another is idle."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, closing
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path

import dramatiq
import pytest

from tests.support.engines import Engine
from tests.support.processes import Process
from tests.support.waiting import eventually

from .conftest import declare, working

pytestmark = pytest.mark.starts_processes


QUEUES = [f"queue{number}" for number in range(4)]
THREADS = 4

#: Too long for messages to be claimed ahead.
TAKES_S = 0.05

#: As often as it takes for chance to have no part in it.
ROUNDS = 5


def run_slowly(number: str, directory: Path) -> None:
    """Say that the job runs, and wait to be told that it may end. It takes its time in any case."""
    (directory / number).touch()
    time.sleep(TAKES_S)
    eventually((directory / f"end {number.partition(' ')[0]}").exists, within_s=60)


def work(channel: Connection, engine: Engine, directory: Path) -> None:
    """A worker process for all queues."""
    broker = engine.broker(middleware=[])
    for queue in QUEUES:
        declare(broker, lambda number: run_slowly(number, directory), actor_name=queue, queue_name=queue)
    with working(broker, threads=THREADS):
        channel.send("ready")
        threading.Event().wait()


def have_begun(names: set[str], directory: Path) -> bool:
    return names <= {path.name for path in directory.iterdir()}


def test_no_job_waits_while_a_thread_is_idle(engine: Engine, tmp_path: Path) -> None:
    directory = tmp_path / "jobs"
    directory.mkdir()
    with closing(engine.broker(middleware=[])) as broker, ExitStack() as stack:
        for process in [stack.enter_context(Process(work, engine, directory)) for _ in range(2)]:
            assert process.receive() == "ready"
        for queue in QUEUES:
            broker.declare_queue(queue)
        for number in range(ROUNDS):
            names = {f"{number} {queue} {twin}" for queue in QUEUES for twin in (0, 1)}
            for name in sorted(names):
                queue = name.split()[1]
                broker.enqueue(dramatiq.Message(queue, queue, (name,), {}, {}))

            eventually(partial(have_begun, names, directory))
            (directory / f"end {number}").touch()
            eventually(lambda: not any(stats.running or stats.ready for stats in broker.backend.stats()))
