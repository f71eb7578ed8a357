"""On a small disk the logs leave room, and a disk that was full works again by itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import apsw
import pytest

from brokers.errors import EngineError
from brokers.interrupts import expose
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.storage.database import Database
from brokers.sqlite.storage.disk_space import DiskSpace
from brokers.sqlite.storage.schema import Schema
from tests.support.disk import free_bytes, small_disk
from tests.support.messages import QUEUE, a_message, stats_of, stored
from tests.support.waiting import eventually

pytestmark = pytest.mark.starts_processes


MB = 1_000_000
SCHEMA = Schema("things", ("CREATE TABLE thing (name TEXT)",))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", megabytes=8) as disk:
        yield disk


@pytest.fixture
def backend(disk: Path) -> Iterator[SQLiteBackend]:
    with closing(SQLiteBackend(disk / "queue.db")) as backend:
        yield backend


def fill(backend: SQLiteBackend) -> int:
    """Store messages until none is taken any more; returns how many were stored.

    One may be refused sooner: the log is full, and is just being copied. That ends, and a full disk does not.
    """
    count = 0
    with suppress(AssertionError):
        while eventually(lambda: can_store(backend), within_s=2):
            count += 1
    return count


def can_store(backend: SQLiteBackend) -> bool:
    with suppress(EngineError):
        return bool(stored(backend, payload=b"x" * 2_000))
    return False


def insert(connection: apsw.Connection) -> None:
    connection.execute("INSERT INTO thing VALUES ('x')")


def test_logs_take_a_share_of_what_is_free(disk: Path) -> None:
    """Two that take all there is leave no room for what is in them, and it can never be copied."""
    with closing(Database(disk / "one.db", SCHEMA)) as one, closing(Database(disk / "two.db", SCHEMA)) as two:
        for _ in range(1_500):
            for database in (one, two):
                database.write(insert, durable=False)
    assert free_bytes(disk) > 4 * MB


def work(backend: SQLiteBackend) -> bool:
    """Be done with some messages; whether none is left is for the caller to see."""
    with suppress(EngineError):
        for delivery in backend.dequeue(QUEUE, limit=50, timeout_s=0):
            backend.started(delivery)
            backend.ack(delivery)
        backend.sync()
    return False


def test_messages_that_are_done_make_room_for_others(backend: SQLiteBackend) -> None:
    first = fill(backend)
    assert first > 500

    # A claim may find the log full, until that is copied. Workers try again, too.
    eventually(lambda: stats_of(backend).done == first or work(backend), within_s=60)

    # What is freed comes back step by step.
    refilled = 0

    def is_much() -> bool:
        nonlocal refilled
        refilled += fill(backend)
        return refilled > 100

    eventually(is_much, within_s=60)


def test_space_that_is_freed_by_others_is_used(disk: Path, backend: SQLiteBackend) -> None:
    filler = disk / "filler"
    stored(backend)
    filler.write_bytes(bytes(free_bytes(disk)))
    for _ in range(3):
        with pytest.raises(EngineError, match="full"):
            stored(backend)
        with pytest.raises(EngineError, match="full"):
            backend.check(timeout_s=1)
    filler.unlink()

    eventually(lambda: can_store(backend))
    backend.check(timeout_s=30)


def test_what_an_actor_sends_is_stored_from_the_reserve(disk: Path, backend: SQLiteBackend) -> None:
    """What is stored already can only be done if what it leads to can be stored."""
    stored(backend)
    (disk / "filler").write_bytes(bytes(free_bytes(disk) - 700_000))
    eventually(lambda: not can_store(backend))

    expose(True)
    try:
        assert backend.enqueue(a_message())
    finally:
        expose(False)


def test_a_directory_that_cannot_be_looked_at_refuses_nothing(tmp_path: Path) -> None:
    DiskSpace(tmp_path / "nothing").refuse_if_short()
