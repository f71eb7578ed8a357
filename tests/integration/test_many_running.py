"""One process runs more messages at the same time than its file in the run directory has slots at first."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import dramatiq
import pytest
from dramatiq import Worker

from brokers import SQLiteBroker
from brokers.backend import QueueBackend
from brokers.sqlite.liveness.process_registry import peers
from tests.support.engines import SQLiteEngine
from tests.support.messages import PATIENCE_S, QUEUE, a_message, stats_of
from tests.support.remote import Remote
from tests.support.waiting import eventually

COUNT = 1_100


@pytest.fixture
def engine(tmp_path: Path) -> SQLiteEngine:
    return SQLiteEngine(tmp_path)


@pytest.fixture
def broker(engine: SQLiteEngine) -> Iterator[SQLiteBroker]:
    with closing(engine.broker(middleware=[])) as broker:
        yield broker


def test_a_worker_runs_them_all(engine: SQLiteEngine, broker: SQLiteBroker) -> None:
    all_run, may_end = threading.Barrier(COUNT + 1), threading.Event()

    @dramatiq.actor(broker=broker)
    def wait() -> None:
        all_run.wait(PATIENCE_S)
        may_end.wait(PATIENCE_S)

    with ThreadPoolExecutor(max_workers=32) as pool:
        list(pool.map(lambda _: wait.send(), range(COUNT)))
    worker = Worker(broker, worker_timeout=50, worker_threads=COUNT)
    worker.start()
    try:
        all_run.wait(PATIENCE_S)
        [peer] = peers(engine.run_directory, None)
        with closing(peer):
            assert len(set(peer.running())) == COUNT
        may_end.set()
        eventually(lambda: stats_of(broker.backend).done == COUNT)
    finally:
        may_end.set()
        all_run.abort()
        worker.stop()


def run_all(backend: QueueBackend) -> None:
    with ThreadPoolExecutor(max_workers=32) as pool:
        list(pool.map(lambda _: backend.enqueue(a_message()), range(COUNT)))
    for delivery in backend.dequeue(QUEUE, limit=COUNT, timeout_s=0):
        backend.started(delivery)


def test_the_death_of_their_process_counts_as_a_crash_of_each(engine: SQLiteEngine) -> None:
    with Remote(engine) as victim, closing(engine.open()) as backend:
        victim.run(run_all)
        assert stats_of(backend).running == COUNT
        victim.kill()
        engine.recover(backend)

        messages = backend.list(QUEUE, "ready", limit=2 * COUNT)
        assert [message.crashes for message in messages] == [1] * COUNT
