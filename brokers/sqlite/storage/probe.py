"""Proves that a database file can be written and read, whatever a process remembers of it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import apsw

from .connection import Connection, connect, explain
from .operations import Write

#: A table of one row, which only checks write. The table belongs to no schema version: each of our files
#: may be checked.
_TABLE = """
CREATE TABLE IF NOT EXISTS write_check (
    id          INTEGER PRIMARY KEY CHECK (id = 1),
    checked_at  INTEGER NOT NULL
)
"""
_WRITE = (
    "INSERT INTO write_check VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET checked_at = excluded.checked_at"
)

_TABLES = "SELECT name FROM sqlite_schema WHERE type = 'table'"


class Probe(Write[None]):
    """Writes the time, durably.

    Parameters:
      at_ms: the time, in milliseconds since the epoch.
    """

    def __init__(self, at_ms: int) -> None:
        super().__init__()
        self._at_ms = at_ms

    def apply(self, connection: Connection) -> None:
        connection.execute(_TABLE)
        connection.execute(_WRITE, (self._at_ms,))


def read_through_new_connection(path: Path) -> None:
    """Read the beginning of each table through a connection that has read nothing yet.

    A connection that remembers the pages it needs does not notice that a file was overwritten.

    Raises:
      EngineError: SQLite could not.
    """
    try:
        with closing(connect(path, read_only=True)) as connection, connection.in_use:
            for (name,) in connection.execute(_TABLES).fetchall():
                connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchall()  # noqa: S608  our own tables
    except apsw.Error as error:
        raise explain(path, error) from error
