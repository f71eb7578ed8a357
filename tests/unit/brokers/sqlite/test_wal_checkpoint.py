"""The write-ahead log is copied beside the commits, and stays short."""

from __future__ import annotations

import logging
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import apsw
import pytest

from brokers.sqlite.storage import wal_checkpoint
from brokers.sqlite.storage.connection import PAGE_BYTES, Connection, connect
from brokers.sqlite.storage.database import Database
from brokers.sqlite.storage.disk_space import DiskSpace
from brokers.sqlite.storage.files import wal_of
from brokers.sqlite.storage.process_lock import ProcessLock
from brokers.sqlite.storage.schema import Schema
from brokers.sqlite.storage.wal_checkpoint import WalCheckpointer, preallocate
from tests.support.messages import PATIENCE_S
from tests.support.sqlite import snapshot_of
from tests.support.waiting import eventually

SCHEMA = Schema("things", ("CREATE TABLE thing (name TEXT)",))

PAGES = 50


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(wal_checkpoint, "CHECKPOINT_PAGES", PAGES)
    with closing(Database(tmp_path / "things.db", SCHEMA)) as database:
        yield database


def add_a_page(database: Database) -> None:
    database.write(lambda c: c.execute("INSERT INTO thing VALUES (?)", ("x" * 4_000,)), durable=False)


def pages_in_log(database: Database) -> int:
    with closing(connect(database.path)) as connection:
        connection.pragma("schema_version")  # a connection that has not read yet has no log
        return connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)[0]


def begins_anew(database: Database) -> Callable[[], bool]:
    """Whether the log got shorter since the last time, while it is written to."""
    before = 0

    def look() -> bool:
        nonlocal before
        add_a_page(database)
        last, before = before, pages_in_log(database)
        return before < last

    return look


def test_the_log_begins_anew_while_others_write(database: Database) -> None:
    for _ in range(3):
        eventually(begins_anew(database))


def test_commits_do_not_wait_for_the_copying(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    copying, may_go_on = threading.Event(), threading.Event()

    def copy_slowly(connection: Connection) -> None:
        copying.set()
        assert may_go_on.wait(PATIENCE_S)
        checkpoint(connection)

    checkpoint = wal_checkpoint.checkpoint
    monkeypatch.setattr(wal_checkpoint, "checkpoint", copy_slowly)
    try:
        while not copying.is_set():
            add_a_page(database)
        for _ in range(2 * PAGES):
            add_a_page(database)
        assert pages_in_log(database) > 3 * PAGES
    finally:
        may_go_on.set()
    eventually(begins_anew(database))


def test_it_waits_for_a_snapshot_to_end(database: Database) -> None:
    add_a_page(database)
    with snapshot_of(database, "thing"):
        for _ in range(3 * PAGES):
            add_a_page(database)
        assert pages_in_log(database) > 3 * PAGES
    eventually(begins_anew(database))


def test_a_copy_that_fails_stops_no_commit(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_connection: apsw.Connection) -> None:
        raise apsw.IOError("the disk is ill")

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr(wal_checkpoint, "checkpoint", fail)
        for _ in range(2 * PAGES):
            add_a_page(database)
        eventually(lambda: "the disk is ill" in caplog.text)
    eventually(begins_anew(database))


@pytest.mark.parametrize("error", [apsw.BusyError, apsw.IOError])
def test_a_log_that_cannot_be_looked_at_fails_no_commit(tmp_path: Path, error: type[Exception]) -> None:
    """Busy: the look comes between the two writes of the index's header. Eight processes found it."""

    class Unreadable:
        def wal_checkpoint(self, **_: object) -> tuple[int, int]:
            raise error("no")

    checkpointer = WalCheckpointer(
        tmp_path / "things.db", lambda: pytest.fail("there is no reason to"), tmp_path, DiskSpace(tmp_path)
    )
    checkpointer.after_commit(cast(Any, Unreadable()))
    checkpointer.close()


def test_closing_waits_for_the_copying(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[str] = []
    ended: list[str] = []

    def note(connection: Connection) -> None:
        begun.append("copying")
        checkpoint(connection)
        ended.append("copying")

    checkpoint = wal_checkpoint.checkpoint
    monkeypatch.setattr(wal_checkpoint, "checkpoint", note)
    while not begun:
        add_a_page(database)
    database.close()
    assert len(begun) == len(ended) == 2  # without the process lock, and under it


def test_the_file_is_made_longer_ahead_of_the_commits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wal_checkpoint, "CHECKPOINT_PAGES", 100 * PAGES)
    step = wal_checkpoint.STEP_PAGES * PAGE_BYTES

    def is_ahead() -> bool:
        add_a_page(database)
        return database.wal_bytes() - pages_in_log(database) * PAGE_BYTES > step / 2

    eventually(is_ahead)


@pytest.mark.starts_processes
def test_zeros_at_the_end_of_the_log_are_nothing_to_whoever_opens_it(database: Database) -> None:
    """As after the death of all processes, with no index of the log left."""
    for _ in range(20):
        add_a_page(database)
    copied = database.path.with_name("copied.db")
    with (
        closing(connect(database.path)) as connection,
        closing(ProcessLock(database.run_directory)) as process_lock,
    ):
        preallocate(wal_of(database.path), 1_000, connection, process_lock)
        for suffix in ("", "-wal"):  # by another process: closing the file in this one would drop its locks
            subprocess.run(["cp", f"{database.path}{suffix}", f"{copied}{suffix}"], check=True)
    with closing(connect(copied)) as connection:
        assert connection.execute("SELECT count(*) FROM thing").fetchall() == [(20,)]
        assert connection.pragma("integrity_check") == "ok"


def test_the_file_keeps_its_length(database: Database) -> None:
    begins = begins_anew(database)
    lengths = []
    for _ in range(3):
        eventually(begins)
        lengths.append(database.wal_bytes())
    assert lengths == sorted(lengths)
