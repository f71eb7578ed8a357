"""What SQLite is made to do, and to see, while a test looks on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import apsw

from brokers.sqlite.storage.database import Database

from .messages import PATIENCE_S


@contextmanager
def statements_run(database: Database) -> Iterator[list[str]]:
    """The first word of each statement that is run inside by the connection that writes."""
    statements: list[str] = []

    def note(_cursor: object, statement: str, _bindings: object) -> bool:
        statements.append(statement.split(maxsplit=1)[0])
        return True

    connection = database._open().transactions.connection
    connection.exec_trace = note
    try:
        yield statements
    finally:
        connection.exec_trace = None


@contextmanager
def snapshot_of(database: Database, table: str) -> Iterator[None]:
    """Somebody reads a table, and comes to no end inside."""
    reading, may_end = threading.Event(), threading.Event()

    def linger(connection: apsw.Connection) -> None:
        connection.execute(f"SELECT count(*) FROM {table}").fetchall()
        reading.set()
        may_end.wait()

    with ThreadPoolExecutor(max_workers=1) as pool:
        try:
            pool.submit(database.read, linger)
            assert reading.wait(PATIENCE_S)
            yield
        finally:
            may_end.set()
