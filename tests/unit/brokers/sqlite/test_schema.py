"""Versions of a schema: older ones are migrated, newer ones refused, and neighbours left alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import apsw
import pytest

from brokers.backend import QueueBackend
from brokers.errors import UnsupportedDatabase
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.storage.schema import Schema
from tests.support.messages import a_message

STEPS = ("CREATE TABLE things (name TEXT)", "ALTER TABLE things ADD COLUMN size INTEGER DEFAULT 1")


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    with closing(apsw.Connection(":memory:")) as connection:
        yield connection


def columns(connection: apsw.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]


def test_a_new_file_gets_all_steps(connection: apsw.Connection) -> None:
    Schema("things", STEPS).bring_up_to_date(connection, path="a file")

    assert columns(connection, "things") == ["name", "size"]


def test_an_older_file_gets_the_steps_it_lacks_and_keeps_its_rows(connection: apsw.Connection) -> None:
    Schema("things", STEPS[:1]).bring_up_to_date(connection, path="a file")
    connection.execute("INSERT INTO things VALUES ('kept')")

    Schema("things", STEPS).bring_up_to_date(connection, path="a file")
    assert connection.execute("SELECT * FROM things").fetchall() == [("kept", 1)]


def test_a_second_time_changes_nothing(connection: apsw.Connection) -> None:
    Schema("things", STEPS).bring_up_to_date(connection, path="a file")
    changes = connection.total_changes()

    Schema("things", STEPS).bring_up_to_date(connection, path="a file")
    assert connection.total_changes() == changes


def test_a_newer_file_is_refused_and_left_alone(connection: apsw.Connection) -> None:
    Schema("things", STEPS).bring_up_to_date(connection, path="a file")

    with pytest.raises(UnsupportedDatabase, match=r"a file holds version 2 of the things tables.*up to 1"):
        Schema("things", STEPS[:1]).bring_up_to_date(connection, path="a file")
    assert columns(connection, "things") == ["name", "size"]


def test_components_have_versions_of_their_own(connection: apsw.Connection) -> None:
    Schema("things", STEPS).bring_up_to_date(connection, path="a file")
    Schema("others", ("CREATE TABLE others (name TEXT)",)).bring_up_to_date(connection, path="a file")

    assert columns(connection, "others") == ["name"]


def test_a_queue_from_the_future_is_a_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with closing(SQLiteBackend(path)) as backend:
        backend.enqueue(a_message())
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("UPDATE schema_version SET version = 999 WHERE component = 'queue'")

    future: QueueBackend
    with closing(SQLiteBackend(path)) as future, pytest.raises(UnsupportedDatabase, match="Upgrade"):
        future.enqueue(a_message())
