"""What lies beside the database: it may vanish or be out of order, and the queue goes on."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from dramatiq.errors import BrokerConnectionError

from brokers.errors import EngineError
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.maintenance.recovery import Recovery
from tests.support.engines import SQLiteEngine
from tests.support.messages import QUEUE, claimed, stats_of, stored
from tests.support.remote import Remote
from tests.support.waiting import eventually


@pytest.fixture
def engine(tmp_path: Path) -> SQLiteEngine:
    return SQLiteEngine(tmp_path)


@pytest.fixture
def backend(engine: SQLiteEngine) -> Iterator[SQLiteBackend]:
    with closing(engine.open()) as backend:
        yield backend


def finish(backend: SQLiteBackend) -> None:
    """Claim, run and ack one message."""
    delivery = claimed(backend)
    backend.started(delivery)
    backend.ack(delivery)
    backend.sync()


def test_a_removed_directory_stops_nobody(engine: SQLiteEngine, backend: SQLiteBackend) -> None:
    stored(backend)
    finish(backend)
    shutil.rmtree(engine.run_directory)

    for done in (2, 3):
        stored(backend)
        finish(backend)
        assert stats_of(backend).done == done


@pytest.mark.starts_processes
def test_a_process_that_comes_later_sets_it_up_again(engine: SQLiteEngine, backend: SQLiteBackend) -> None:
    stored(backend)
    finish(backend)
    shutil.rmtree(engine.run_directory)

    stored(backend)
    with Remote(engine) as newcomer:
        delivery = claimed(newcomer.backend)
        newcomer.backend.ack(delivery)
        newcomer.backend.sync()
    assert stats_of(backend).done == 2


def fails(times: int, then: Callable[..., Any], error: Exception) -> Callable[..., Any]:
    """A function that fails a few times before it works."""
    failures = iter([error] * times)

    def function(*args: Any, **kwargs: Any) -> Any:
        for failure in failures:
            raise failure
        return then(*args, **kwargs)

    return function


@pytest.mark.starts_processes
def test_the_maintenance_outlives_its_errors(
    engine: SQLiteEngine, backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.hurry(monkeypatch.setattr)
    message_id = stored(backend)
    backend.dequeue("another", limit=1, timeout_s=0)
    with Remote(engine) as victim:
        claimed(victim.backend)
        recover = fails(3, Recovery.recover, OSError("too many open files"))
        monkeypatch.setattr(Recovery, "recover", recover)

    assert claimed(backend).message_id == message_id


def test_who_cannot_start_consuming_leaves_nothing_behind(
    engine: SQLiteEngine, backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    message_id = stored(backend)
    recover = fails(3, Recovery.recover, EngineError("away"))
    monkeypatch.setattr(Recovery, "recover", recover)
    for _ in range(3):
        with pytest.raises(BrokerConnectionError):
            backend.dequeue(QUEUE, limit=1, timeout_s=0)

    assert claimed(backend).message_id == message_id
    assert len(list(engine.run_directory.glob("*.lock"))) == 1


def test_a_claim_that_fails_halfway_gives_its_messages_back(
    backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large payload is fetched after the claim."""
    ids = [stored(backend), stored(backend, payload=b"large" * 10_000)]
    backend.dequeue("another", limit=1, timeout_s=0)
    with monkeypatch.context() as patch:
        patch.setattr(backend.database, "read", fails(1, backend.database.read, EngineError("away")))
        with pytest.raises(BrokerConnectionError):
            backend.dequeue(QUEUE, limit=2, timeout_s=0)

    eventually(lambda: stats_of(backend).ready == 2)
    assert [d.message_id for d in backend.dequeue(QUEUE, limit=2, timeout_s=0)] == ids


def test_many_backends_wait_side_by_side(engine: SQLiteEngine) -> None:
    """Of several on one store in one process, each is a process of its own to the others."""
    with ExitStack() as stack:
        backends = [stack.enter_context(closing(engine.open())) for _ in range(3)]
        for backend in backends:
            stored(backend)
        holders = [claimed(backend) for backend in backends]
        assert len({delivery.message_id for delivery in holders}) == 3
        assert len(list(engine.run_directory.glob("*.lock"))) == 3
