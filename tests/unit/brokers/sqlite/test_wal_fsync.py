"""What is on disk when somebody is told so, and what others can do until then."""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from brokers.errors import EngineError
from brokers.sqlite.storage.database import Database
from brokers.sqlite.storage.operations import Change
from brokers.sqlite.storage.process_lock import ProcessLock
from brokers.sqlite.storage.schema import Schema
from brokers.sqlite.storage.wal_fsync import WalFsync
from tests.support.messages import PATIENCE_S

SCHEMA = Schema("things", ("CREATE TABLE thing (name TEXT)",))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "things.db", SCHEMA)) as database:
        yield database


def add(database: Database, name: str, *, durable: bool = True) -> None:
    database.write(lambda c: c.execute("INSERT INTO thing VALUES (?)", (name,)), durable=durable)


def names(database: Database) -> list[str]:
    return database.read(
        lambda c: [str(row[0]) for row in c.execute("SELECT name FROM thing ORDER BY rowid")]
    )


class SlowDisk:
    """A disk that finishes nothing before it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_busy = threading.Event()
        self.let_go = threading.Event()
        finish = WalFsync.finish

        def slowly(wal_fsync: WalFsync) -> None:
            self.is_busy.set()
            assert self.let_go.wait(PATIENCE_S)
            finish(wal_fsync)

        monkeypatch.setattr(WalFsync, "finish", slowly)


def test_others_write_while_one_waits_for_the_disk(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = SlowDisk(monkeypatch)
    waiting = threading.Thread(target=add, args=(database, "waits"))
    waiting.start()
    assert disk.is_busy.wait(PATIENCE_S)

    with closing(Database(database.path, SCHEMA)) as neighbour:
        add(neighbour, "does not", durable=False)
        assert names(neighbour) == ["waits", "does not"]
    assert waiting.is_alive()
    disk.let_go.set()
    waiting.join(PATIENCE_S)
    assert not waiting.is_alive()


def test_several_are_told_what_is_there_when_it_is_on_disk(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They change nothing, so SQLite syncs nothing; whoever stored what they find may wait for the disk."""
    syncs: list[WalFsync] = []
    monkeypatch.setattr(WalFsync, "finish", lambda sync: syncs.append(sync))  # noqa: PLW0108  to be bound
    looks = [Change(lambda c: c.execute("SELECT * FROM thing").fetchall()) for _ in range(2)]
    add(database, "there")
    before = len(syncs)

    database._open().transactions.commit(list(looks))
    assert [look.outcome() for look in looks] == [[("there",)]] * 2
    assert len(syncs) == before + 1


@pytest.mark.parametrize(("code", "times"), [(errno.EIO, 1), (errno.ESPIPE, 0)])
def test_what_could_not_be_written_early_is_written_once_more(
    database: Database, monkeypatch: pytest.MonkeyPatch, code: int, times: int
) -> None:
    """Unless there was only no way to begin early."""
    written: list[int] = []
    pwrite = os.pwrite

    def fail(*_: int) -> int:
        ctypes.set_errno(code)
        return -1

    def note(fd: int, data: bytes, offset: int) -> int:
        written.append(offset)
        return pwrite(fd, data, offset)

    add(database, "before")
    monkeypatch.setattr("brokers.sqlite.storage.wal_fsync._sync_file_range", lambda: fail)
    database.close()
    monkeypatch.setattr("brokers.sqlite.storage.wal_fsync.os.pwrite", note)
    add(database, "thing")
    assert written == [0] * times
    assert names(database) == ["before", "thing"]


def test_a_log_waits_for_a_stopped_process_only_so_long(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process has the lock under which the log would have to be written once more."""
    monkeypatch.setattr("brokers.sqlite.storage.transactions.LOCK_TIMEOUT_S", 0.01)

    def fail(_: int) -> None:
        stopped.try_acquire()
        raise OSError("Input/output error")

    add(database, "before")
    with closing(ProcessLock(database.run_directory)) as stopped, monkeypatch.context() as patch:
        patch.setattr("brokers.sqlite.storage.wal_fsync.os.fdatasync", fail)
        with pytest.raises(EngineError, match="kept the database to itself"):
            add(database, "not for sure")
    add(database, "after")
    assert names(database)[-1] == "after"


def test_while_the_disk_fails_nothing_is_stored(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(_: int) -> None:
        raise OSError("Input/output error")

    add(database, "before")
    with monkeypatch.context() as patch:
        patch.setattr("brokers.sqlite.storage.wal_fsync.os.fdatasync", fail)
        for _ in range(2):
            with pytest.raises(EngineError, match="Input/output error"):
                add(database, "not for sure")
        add(database, "for whom it need not be on disk", durable=False)
    add(database, "after")
    assert names(database)[-1] == "after"
    assert "may not be whole" in caplog.text
