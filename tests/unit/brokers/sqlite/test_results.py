"""Dramatiq's results on SQLite."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import dramatiq
import pytest
from dramatiq import Worker, group, pipeline
from dramatiq.results import ResultFailure, ResultMissing, Results, ResultTimeout

from brokers import SQLiteBroker, SQLiteResultBackend


@pytest.fixture
def results(tmp_path: Path) -> Iterator[SQLiteResultBackend]:
    with closing(SQLiteResultBackend(tmp_path / "queue.db")) as results:
        yield results


@pytest.fixture
def broker(tmp_path: Path, results: SQLiteResultBackend) -> Iterator[SQLiteBroker]:
    with closing(SQLiteBroker(tmp_path / "queue.db")) as broker:
        broker.add_middleware(Results(backend=results, store_results=True))
        yield broker


@pytest.fixture
def worker(broker: SQLiteBroker) -> Iterator[Worker]:
    worker = Worker(broker, worker_timeout=50, worker_threads=4)
    worker.start()
    yield worker
    worker.stop()


def test_a_result_is_waited_for(broker: SQLiteBroker, results: SQLiteResultBackend, worker: Worker) -> None:
    may_answer = threading.Event()

    @dramatiq.actor(broker=broker)
    def add(x: int, y: int) -> int:
        assert may_answer.wait(20)
        return x + y

    message = add.send(1, 2)
    with pytest.raises(ResultMissing):
        results.get_result(message)
    with pytest.raises(ResultTimeout):
        results.get_result(message, block=True, timeout=10)
    may_answer.set()

    assert results.get_result(message, block=True, timeout=20_000) == 3
    assert results.get_result(message) == 3


def test_pipelines_and_groups_have_results(
    broker: SQLiteBroker, results: SQLiteResultBackend, worker: Worker
) -> None:
    @dramatiq.actor(broker=broker)
    def add(x: int, y: int = 0) -> int:
        return x + y

    chain = pipeline([add.message(1, 2), add.message(10)], broker=broker).run()
    crowd = group([add.message(n, n) for n in range(5)], broker=broker).run()

    assert chain.get_result(block=True, timeout=20_000) == 13
    assert list(crowd.get_results(block=True, timeout=20_000)) == [0, 2, 4, 6, 8]


def test_a_failure_is_a_result_too(
    broker: SQLiteBroker, results: SQLiteResultBackend, worker: Worker
) -> None:
    @dramatiq.actor(broker=broker, max_retries=0)
    def fail() -> None:
        raise LookupError("no such thing")

    with pytest.raises(ResultFailure, match="no such thing"):
        results.get_result(fail.send(), block=True, timeout=20_000)


def test_a_result_expires(broker: SQLiteBroker, results: SQLiteResultBackend) -> None:
    message: dramatiq.Message[int] = dramatiq.Message("default", "add", (), {}, {})
    results.store_result(message, 3, ttl=0)

    with pytest.raises(ResultMissing):
        results.get_result(message)


def test_results_are_there_for_other_processes(tmp_path: Path, results: SQLiteResultBackend) -> None:
    message: dramatiq.Message[dict[str, int]] = dramatiq.Message("default", "add", (), {}, {})
    results.store_result(message, {"sum": 3}, ttl=60_000)

    with closing(SQLiteResultBackend(tmp_path / "queue.db")) as neighbour:
        assert neighbour.get_result(message) == {"sum": 3}
