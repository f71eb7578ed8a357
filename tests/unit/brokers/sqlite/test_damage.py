"""A file that is damaged under a live process says so, and works again when it is whole again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from brokers.errors import EngineError
from brokers.sqlite.storage.connection import connect
from brokers.sqlite.storage.database import Database
from brokers.sqlite.storage.schema import Schema
from tests.support.waiting import eventually

SCHEMA = Schema("things", ("CREATE TABLE thing (name TEXT)",))

#: From where on the file is overwritten: all of it, or all but its head.
BEGINNINGS = [0, 4096]


def note(database: Database, name: str) -> None:
    database.write(lambda c: c.execute("INSERT INTO thing VALUES (?)", (name,)).fetchall())


def names(database: Database) -> int:
    return database.read(lambda c: len(c.execute("SELECT name FROM thing").fetchall()))


def overwrite(path: Path, content: bytes) -> None:
    """In place: the file stays the one that is open."""
    with path.open("r+b", buffering=0) as file:
        file.truncate(0)
        file.write(content)


def is_well(database: Database) -> bool:
    try:
        database.check(at_ms=3, timeout_s=20)
    except EngineError:
        return False
    return True


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "things.db", SCHEMA)) as database:
        for number in range(50):
            note(database, f"{number}" + "x" * 1_000)
        database.check(at_ms=1, timeout_s=20)
        names(database)
        with closing(connect(database.path)) as other:  # all that is in the log goes into the file
            assert other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall() == [(0, 0, 0)]
        yield database


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_damage_is_found_and_its_end_as_well(database: Database, beginning: int) -> None:
    whole = database.path.read_bytes()
    overwrite(database.path, whole[:beginning] + os.urandom(len(whole) - beginning))

    for _ in range(2):
        with pytest.raises(EngineError):
            database.check(at_ms=2, timeout_s=20)
        with pytest.raises(EngineError):
            note(database, "lost")
        with pytest.raises(EngineError):
            names(database)

    overwrite(database.path, whole)
    eventually(partial(is_well, database))
    note(database, "kept")
    assert names(database) == 51


def test_damage_is_found_though_this_process_remembers_what_was_there(database: Database) -> None:
    """What it writes goes into the log, and it need not read the file for that."""
    note(database, "read already")
    whole = database.path.read_bytes()
    overwrite(database.path, whole[:4096] + os.urandom(len(whole) - 4096))

    with pytest.raises(EngineError):
        database.check(at_ms=2, timeout_s=20)
