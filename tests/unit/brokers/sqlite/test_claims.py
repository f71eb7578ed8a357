"""Whoever waits for work takes the next message in one statement."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from brokers.errors import EngineError
from brokers.records import QueueMessage
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.claims import Claim, Claimed
from brokers.sqlite.enqueue import INLINE_BYTES
from tests.support.messages import QUEUE
from tests.support.sqlite import statements_run


class Clock:
    """Milliseconds that pass when they are told to."""

    now_ms = 1_000

    def __call__(self) -> int:
        return self.now_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(tmp_path: Path, clock: Clock) -> Iterator[SQLiteBackend]:
    """One that has waited in vain."""
    with closing(SQLiteBackend(tmp_path / "queue.db", clock=clock)) as backend:
        assert claimed(backend) == []
        yield backend


def store(backend: SQLiteBackend, name: str, payload: bytes = b"{}", **fields: Any) -> None:
    backend.enqueue(QueueMessage(name, QUEUE, "actor", payload, **fields))


def claimed(backend: SQLiteBackend, *, limit: int = 10) -> list[str]:
    return [delivery.message_id for delivery in backend.dequeue(QUEUE, limit=limit, timeout_s=0)]


def test_it_is_one_statement(backend: SQLiteBackend) -> None:
    store(backend, "first")
    with statements_run(backend.database) as statements:
        assert claimed(backend) == ["first"]
    assert statements == ["UPDATE"]


def test_the_others_come_with_it(backend: SQLiteBackend) -> None:
    for name, priority in (("b", 5), ("a", 0), ("c", 5)):
        store(backend, name, priority=priority)
    assert [claimed(backend) for _ in range(2)] == [["a", "b", "c"], []]


def test_no_more_come_than_were_asked_for(backend: SQLiteBackend) -> None:
    for name in "abc":
        store(backend, name)
    assert [claimed(backend, limit=1) for _ in range(4)] == [["a"], ["b"], ["c"], []]


def test_it_goes_back_when_the_others_cannot_be_taken(
    backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_claim: Claim, _connection: apsw.Connection) -> Claimed:
        raise EngineError("away")

    for name in "ab":
        store(backend, name)
    with monkeypatch.context() as patched:
        patched.setattr(Claim, "apply", fail)
        with pytest.raises(EngineError, match="away"):
            claimed(backend)
    backend.sync()
    assert sorted(claimed(backend) + claimed(backend)) == ["a", "b"]


def test_a_delayed_one_that_is_due_may_be_more_urgent(backend: SQLiteBackend, clock: Clock) -> None:
    store(backend, "urgent", priority=-1, delay_ms=500)
    store(backend, "other")
    clock.now_ms += 500
    assert claimed(backend)[0] == "urgent"


def test_a_delayed_one_that_is_not_due_waits(backend: SQLiteBackend, clock: Clock) -> None:
    store(backend, "later", delay_ms=500)
    store(backend, "now")
    assert [claimed(backend) for _ in range(2)] == [["now"], []]
    clock.now_ms += 500
    assert claimed(backend) == ["later"]


def test_a_paused_queue_gives_nothing(backend: SQLiteBackend) -> None:
    backend.pause(QUEUE)
    store(backend, "message")
    assert claimed(backend) == []
    backend.resume(QUEUE)
    assert claimed(backend) == ["message"]


def test_a_large_one_has_its_payload(backend: SQLiteBackend) -> None:
    large = b"x" * (INLINE_BYTES + 1)
    store(backend, "large", large)
    [delivery] = backend.dequeue(QUEUE, limit=10, timeout_s=0)
    assert (delivery.message_id, delivery.payload, delivery.deliveries) == ("large", large, 1)


def test_statements_are_not_prepared_anew_as_time_goes_by(backend: SQLiteBackend, clock: Clock) -> None:
    prepared: list[int] = []

    def note(action: int, *_: object) -> int:  # SQLite asks it for permission whenever it prepares
        if action != apsw.SQLITE_PRAGMA:
            prepared.append(action)
        return apsw.SQLITE_OK

    backend.database._open().transactions.connection.authorizer = note
    for number in range(6):
        prepared.clear()  # the first rounds do prepare
        clock.now_ms += 1
        store(backend, f"later {number}", delay_ms=2)
        store(backend, f"now {number}")
        claimed(backend)
        claimed(backend)
    assert prepared == []
