"""Gives space back to the disk, in steps between which other threads and processes may write."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from math import ceil

import apsw

from ..storage.connection import PAGE_BYTES, Connection, connect, explain
from ..storage.database import Database
from ..storage.files import wal_of
from ..storage.process_lock import ProcessLock
from ..storage.wal_checkpoint import checkpoint, excess_bytes

#: How many freed pages one step gives back: moving them takes some 5 ms, for which a webhook may have to
#: wait.
PAGES_A_STEP = 500

#: The same where the disk is nearly full: the pages are moved by way of the write-ahead log.
PAGES_A_SMALL_STEP = 50


def give_space_back(database: Database, threshold_bytes: int) -> Iterator[None]:
    """Return free pages to the disk, and the part of the log's file beyond its kept length, step by step.

    It ends early when another thread or process wants to write, or reads: the next round goes on.

    Parameters:
      database: the database.
      threshold_bytes: do nothing while less than this could be given back; a tenth of it on a disk with
        little space.

    Raises:
      EngineError: SQLite could not.
    """
    if is_short := database.disk_space.is_short():
        threshold_bytes //= 10
    free_pages = database.read(lambda c: c.pragma("freelist_count"))
    if max(excess_bytes(wal_of(database.path)), free_pages * PAGE_BYTES) < threshold_bytes:
        return
    try:
        # A lock of its own: the file descriptors of this process's writer would not exclude the writer.
        with (
            closing(ProcessLock(database.run_directory)) as process_lock,
            closing(connect(database.path)) as connection,
        ):
            yield from _steps(database, connection, process_lock, in_small_steps=is_short)
    except apsw.BusyError:
        return
    except apsw.Error as error:
        raise explain(database.path, error) from error


def _steps(
    database: Database, connection: Connection, process_lock: ProcessLock, *, in_small_steps: bool
) -> Iterator[None]:
    pages = PAGES_A_SMALL_STEP if in_small_steps else PAGES_A_STEP
    with connection.in_use:
        connection.set_busy_timeout(0)  # no process waits for the lock until a reader has ended
        free_pages = connection.pragma("freelist_count")
    for _ in range(max(1, ceil(free_pages / pages))):  # not the pages that are freed meanwhile
        checkpoint(connection)  # before the lock is taken, with all that the disk has to do for it
        if not process_lock.try_acquire():
            return
        try:
            with connection.in_use:
                connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
                if excess_bytes(wal_of(database.path)):
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            process_lock.release()
        yield
    checkpoint(connection)
