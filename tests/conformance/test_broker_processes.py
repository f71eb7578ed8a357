"""I4 and I5: a job whose process dies is run by another, but not for ever."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Connection

import dramatiq
import pytest
from dramatiq.middleware import default_middleware

from brokers.durable import DurableBroker
from tests.support.engines import Engine
from tests.support.messages import QUEUE, found, stats_of
from tests.support.processes import Process
from tests.support.waiting import eventually

from .conftest import declare, working

#: Long enough for a job that is not held back to be seen running.
A_MOMENT_S = 0.5


def work(channel: Connection, engine: Engine, threads: int = 1) -> None:
    """A worker process. Its actor says which job it runs, and ends when it is told to."""
    broker = engine.broker(middleware=[kind() for kind in default_middleware], max_deliveries=2)

    @dramatiq.actor(broker=broker)
    def job(number: int) -> None:
        channel.send(number)
        channel.recv()

    with working(broker, threads=threads):
        signal.pause()


StartWorker = Callable[..., Process]


@pytest.fixture
def start_worker(engine: Engine) -> Iterator[StartWorker]:
    with ExitStack() as stack:
        yield lambda threads=1: stack.enter_context(Process(work, engine, threads))


@pytest.fixture
def job(broker: DurableBroker) -> dramatiq.Actor[[int], None]:
    def job(number: int) -> None:
        raise NotImplementedError(f"job {number} is for the worker processes")

    return declare(broker, job)


def test_a_killed_workers_job_is_run_by_another(
    broker: DurableBroker, job: dramatiq.Actor[[int], None], start_worker: StartWorker
) -> None:
    message_id = job.send(1).message_id
    first = start_worker()
    assert first.receive() == 1
    first.kill()

    second = start_worker()
    assert second.receive() == 1
    assert found(broker.backend, message_id).crashes == 1
    second.send("end")
    eventually(lambda: stats_of(broker.backend).done == 1)


def test_what_the_killed_worker_had_not_begun_is_run_too(
    broker: DurableBroker, job: dramatiq.Actor[[int], None], start_worker: StartWorker
) -> None:
    first = start_worker()
    job.send(0)
    assert first.receive() == 0
    message_ids = [job.send(number).message_id for number in (1, 2)]
    survivor = start_worker()
    first.kill()

    done = set()
    for _ in range(3):
        done.add(survivor.receive())
        survivor.send("end")
    assert done == {0, 1, 2}
    eventually(lambda: stats_of(broker.backend).done == 3)
    assert all(broker.backend.get(message_id) is None for message_id in message_ids)


def test_a_job_that_kills_its_workers_becomes_a_dead_letter(
    broker: DurableBroker, job: dramatiq.Actor[[int], None], start_worker: StartWorker
) -> None:
    killer = job.send(1).message_id
    for _ in range(2):
        victim = start_worker()
        assert victim.receive() == 1
        victim.kill()
    harmless = job.send(2).message_id

    survivor = start_worker()
    assert survivor.receive() == 2
    dead = eventually(lambda: broker.backend.list(QUEUE, "dead"))
    assert [(letter.message_id, letter.reason) for letter in dead] == [(killer, "max_deliveries")]
    assert found(broker.backend, harmless).state == "running"


def test_what_runs_beside_a_job_that_kills_its_workers_is_not_taken_for_another(
    broker: DurableBroker, job: dramatiq.Actor[[int], None], start_worker: StartWorker
) -> None:
    killer, harmless = (job.send(number).message_id for number in (1, 2))
    victim = start_worker(2)
    assert {victim.receive(), victim.receive()} == {1, 2}
    victim.kill()

    victim = start_worker(2)
    first = victim.receive()
    assert victim.is_silent(A_MOMENT_S), "one more death would set either aside, so each runs alone"
    if first == 2:
        victim.send("end")
        assert victim.receive() == 1
    victim.kill()

    survivor = start_worker(2)
    survivor.send("end")
    eventually(lambda: stats_of(broker.backend).done == 1)
    assert broker.backend.get(harmless) is None
    dead = eventually(lambda: broker.backend.list(QUEUE, "dead"))
    assert [(letter.message_id, letter.reason) for letter in dead] == [(killer, "max_deliveries")]
