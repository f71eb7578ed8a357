"""Files are deleted, emptied, replaced, damaged under a live database: it goes on with what is there."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from brokers.errors import EngineError
from brokers.sqlite.storage import open_backoff, transactions
from brokers.sqlite.storage.database import Database
from brokers.sqlite.storage.operations import Change
from brokers.sqlite.storage.schema import Schema
from tests.support.waiting import eventually

SCHEMA = Schema("things", ("CREATE TABLE thing (name TEXT)",))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "things.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with closing(Database(path, SCHEMA)) as database:
        add(database, "before")
        yield database


@pytest.fixture
def neighbour(database: Database) -> Iterator[Database]:
    """Another connection's way into the same file, which has it open."""
    with closing(Database(database.path, SCHEMA)) as neighbour:
        names(neighbour)
        add(neighbour, "more")
        yield neighbour


def add(database: Database, name: str, *, durable: bool = True) -> None:
    database.write(lambda c: c.execute("INSERT INTO thing VALUES (?)", (name,)), durable=durable)


def names(database: Database) -> list[str]:
    rows: Any = database.read(lambda c: c.execute("SELECT name FROM thing ORDER BY rowid").fetchall())
    return [name for (name,) in rows]


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def stale(path: Path) -> list[Path]:
    return sorted(path.parent.glob("*.stale-*"))


# -- ways to lose a database ------------------------------------------------------------------------------


def delete(path: Path) -> None:
    path.unlink()


def delete_all(path: Path) -> None:
    for each in path.parent.glob(path.name + "*"):
        if each.is_file():
            each.unlink()


def empty(path: Path) -> None:
    os.truncate(path, 0)


def replace(path: Path) -> None:
    """By a database that another program made."""
    other = path.with_name("other.db")
    with closing(apsw.Connection(str(other))) as connection:
        connection.execute("CREATE TABLE other (name TEXT)")
    other.replace(path)


LOSSES = [delete, delete_all, empty, replace]


@pytest.mark.parametrize("lose", LOSSES)
@pytest.mark.parametrize("durable", [True, False])
def test_what_is_written_after_a_loss_is_in_the_new_file(
    database: Database, path: Path, lose: Callable[[Path], None], durable: bool
) -> None:
    """What is stored in a file without a name is gone with the process: that is no success."""
    lose(path)
    add(database, "after", durable=durable)

    assert names(database) == ["after"]
    with closing(apsw.Connection(str(path))) as other:
        assert other.execute("SELECT name FROM thing").fetchall() == [("after",)]
        assert other.pragma("integrity_check") == "ok"


@pytest.mark.parametrize("lose", LOSSES)
def test_what_is_read_after_a_loss_is_in_the_new_file(
    database: Database, path: Path, lose: Callable[[Path], None]
) -> None:
    assert names(database) == ["before"]
    lose(path)

    assert names(database) == []


@pytest.mark.parametrize("lose", LOSSES)
def test_all_who_had_it_open_meet_in_the_new_file(
    database: Database, neighbour: Database, path: Path, lose: Callable[[Path], None]
) -> None:
    lose(path)
    for number in range(3):
        add(database, f"mine {number}")
        add(neighbour, f"its {number}")

    assert names(database) == names(neighbour)
    assert sorted(names(database)) == ["its 0", "its 1", "its 2", "mine 0", "mine 1", "mine 2"]


def test_an_event_loop_is_told_no_failure(database: Database, path: Path) -> None:
    change: Change[Any] = Change(lambda c: c.execute("INSERT INTO thing VALUES ('after')").fetchall())
    path.unlink()
    asyncio.run(database.perform_async(change))
    assert names(database) == ["after"]


@pytest.mark.parametrize("lose", LOSSES)
def test_a_loss_is_told_once_with_what_was_lost(
    database: Database, path: Path, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    add(database, "and more")
    with caplog.at_level(logging.ERROR):
        lose(path)
        for _ in range(3):
            add(database, "after")
            names(database)

    [told] = [each for each in caplog.messages if "deleted or replaced" in each]
    assert "in thing" in told


@pytest.mark.parametrize("lose", [delete, empty, replace])
def test_the_log_of_a_lost_database_is_kept_and_not_replayed(
    database: Database, path: Path, lose: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    inode = log_of(path).stat().st_ino
    lose(path)
    add(database, "after")

    kept = [each for each in stale(path) if "-wal" in each.name]
    assert [each.stat().st_ino for each in kept] == [inode]
    assert kept[0].name in caplog.text
    assert names(database) == ["after"]


def test_a_log_without_a_database_is_kept_by_the_next_process(
    database: Database, path: Path, tmp_path: Path
) -> None:
    """All processes were stopped, and only the database file was removed, or could not be restored."""
    left = tmp_path / "left" / "things.db"
    left.parent.mkdir()
    shutil.copy(log_of(path), log_of(left))

    with closing(Database(left, SCHEMA)) as next_process:
        assert names(next_process) == []
    assert [each.read_bytes() for each in stale(left)] == [log_of(path).read_bytes()]


def test_a_log_with_its_database_is_replayed(database: Database, path: Path, tmp_path: Path) -> None:
    """That is what it is there for, after a crash."""
    left = tmp_path / "left" / "things.db"
    left.parent.mkdir()
    shutil.copy(path, left)
    shutil.copy(log_of(path), log_of(left))

    with closing(Database(left, SCHEMA)) as next_process:
        assert names(next_process) == ["before"]
    assert stale(left) == []


def test_an_empty_file_that_was_never_open_stays_the_same_file(tmp_path: Path) -> None:
    """It may have been made with an owner and a mode on purpose."""
    path = tmp_path / "things.db"
    path.touch(mode=0o640)
    inode = path.stat().st_ino
    with closing(Database(path, SCHEMA)) as database:
        add(database, "thing")
    assert path.stat().st_ino == inode


@pytest.mark.parametrize("suffix", ["-wal", "-shm"])
def test_without_its_log_or_index_nothing_is_lost(
    database: Database, neighbour: Database, path: Path, suffix: str, caplog: pytest.LogCaptureFixture
) -> None:
    path.with_name(path.name + suffix).unlink()
    add(database, "after")
    add(neighbour, "later")

    assert names(database) == names(neighbour) == ["before", "more", "after", "later"]
    assert "nothing was lost" in caplog.text


def test_nothing_stays_open_of_a_lost_database(database: Database, path: Path) -> None:
    """Also the space of a deleted file is only free once it is closed."""

    def deleted_files() -> list[str]:
        links = []
        for each in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # it was the directory itself
                links.append(str(each.readlink()))
        return [link for link in links if link.startswith(str(path)) and "(deleted)" in link]

    names(database)
    for _ in range(3):
        path.unlink()
        add(database, "after")
        names(database)
    eventually(lambda: not deleted_files())


def test_acknowledgements_of_a_lost_database_are_not_tried_for_ever(
    database: Database, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    done: list[bool] = []

    def note(_: Any) -> None:
        done.append(True)

    database.submit(Change(note, durable=False, lazy=True))
    eventually(lambda: len(done) >= 1)
    names(database)  # opens the new file, which takes what the lost one did not
    eventually(lambda: len(done) >= 2)
    database.close()
    assert "unwritten acknowledgements" not in caplog.text


def test_a_damaged_file_fails_at_once_until_it_is_mended(
    database: Database, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "REOPEN_DAMAGED_AFTER_S", 0.0)
    add(database, "x" * 100_000)
    database.close()
    whole = path.read_bytes()
    path.write_bytes(os.urandom(len(whole)))
    for _ in range(5):
        with pytest.raises(EngineError):
            add(database, "lost")
        with pytest.raises(EngineError):
            names(database)
    path.write_bytes(whole)

    eventually(lambda: is_added(database, "after"))
    assert names(database)[0] == "before"
    assert names(database)[-1] == "after"


def is_added(database: Database, name: str) -> bool:
    with suppress(EngineError):
        add(database, name)
        return True
    return False


class TestOpenBackoff:
    """What cannot be opened is not tried for each caller."""

    def test_the_last_failure_is_the_answer_during_a_pause(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(open_backoff, "FIRST_S", 60.0)
        monkeypatch.setattr(open_backoff, "LONGEST_S", 60.0)
        path.mkdir()  # cannot be opened as a file
        with closing(Database(path, SCHEMA)) as database:
            for _ in range(2):
                with pytest.raises(EngineError, match="CantOpen"):
                    names(database)
            path.rmdir()
            with pytest.raises(EngineError, match="CantOpen"):
                names(database)

    def test_the_first_failure_has_no_pause(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(open_backoff, "FIRST_S", 60.0)
        path.mkdir()
        with closing(Database(path, SCHEMA)) as database:
            with pytest.raises(EngineError, match="CantOpen"):
                names(database)
            path.rmdir()
            assert names(database) == []
