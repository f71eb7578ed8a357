"""I4 and I5: a job whose process dies is run by another, but not for ever."""

from __future__ import annotations

import queue
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq.middleware import default_middleware as dramatiqs_middleware
from dramatiq.results import ResultFailure, Results

from brokers import SQLiteResultBackend
from brokers.durable import DurableBroker
from brokers.middleware import default_middleware
from tests.support.engines import Engine
from tests.support.messages import PATIENCE_S, QUEUE, found, stats_of
from tests.support.processes import Process
from tests.support.waiting import eventually

from .conftest import declare, working

pytestmark = pytest.mark.needs("counts_crashes")

#: Long enough for a job that is not held back to be seen running.
A_MOMENT_S = 0.5


def work(channel: Connection, engine: Engine, threads: int = 1) -> None:
    """A worker process. Its actor says which job it runs, and ends when it is told to."""
    broker = engine.broker(middleware=[kind() for kind in dramatiqs_middleware], max_deliveries=2)

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

    survivor = start_worker(threads=2)  # one of them runs the other job until the end
    assert survivor.receive() == 2
    dead = eventually(lambda: broker.backend.list(QUEUE, "dead"))
    assert [(letter.message_id, letter.reason) for letter in dead] == [(killer, "max_deliveries")]
    assert found(broker.backend, harmless).state == "running"


def test_all_who_wait_for_a_job_that_kills_its_workers_are_told(
    engine: Engine, start_worker: StartWorker, tmp_path: Path
) -> None:
    told: queue.SimpleQueue[Any] = queue.SimpleQueue()
    with (
        closing(SQLiteResultBackend(tmp_path / "results.db")) as results,
        closing(
            engine.broker(middleware=[*default_middleware(), Results(backend=results)], max_deliveries=2)
        ) as broker,
    ):
        declare(broker, lambda *arguments: told.put(("failed", *arguments)), actor_name="failed")
        declare(broker, lambda *arguments: told.put(("exhausted", *arguments)), actor_name="exhausted")

        @dramatiq.actor(
            broker=broker,
            store_results=True,
            on_failure="failed",
            on_retry_exhausted="exhausted",
            max_retries=7,
        )
        def job(number: int) -> None:
            raise NotImplementedError(f"job {number} is for the worker processes")

        killer = job.send(1)
        _kill_its_workers(start_worker)
        with working(broker):
            calls = {call[0]: call[1:] for call in (told.get(timeout=PATIENCE_S) for _ in range(2))}
            with pytest.raises(ResultFailure, match="WorkersDied"):
                killer.get_result(backend=results, block=True, timeout=30_000)
        assert calls["failed"][0]["message_id"] == killer.message_id
        assert calls["failed"][1]["type"] == "WorkersDied"
        assert calls["exhausted"][1] == {"retries": 0, "max_retries": 7}
        letter = found(broker.backend, killer.message_id)
        assert (letter.reason, letter.crashes) == ("max_deliveries", 2)
        assert stats_of(broker.backend).died == {"max_deliveries": 1}


def test_a_job_that_kills_its_workers_becomes_a_dead_letter_where_its_actor_is_unknown(
    engine: Engine, job: dramatiq.Actor[[int], None], start_worker: StartWorker
) -> None:
    message_id = job.send(1).message_id
    _kill_its_workers(start_worker)

    with closing(engine.broker(middleware=[], max_deliveries=2)) as stranger:
        stranger.declare_queue(QUEUE)
        with working(stranger):
            eventually(lambda: found(stranger.backend, message_id).state == "dead")
        letter = found(stranger.backend, message_id)
    assert (letter.reason, letter.crashes) == ("max_deliveries", 2)
    assert "died" in (letter.last_error or "")


def _kill_its_workers(start_worker: StartWorker) -> None:
    for _ in range(2):
        victim = start_worker()
        assert victim.receive() == 1
        victim.kill()


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
