"""Writes a database file anew, so that nothing of deleted rows is left in it or in its log.

A deleted row's bytes stay in the file until others take their place, and older pages stay in the log. Each
connection overwrites what it deletes within a page (see `connection`), which costs nothing; but SQLite leaves
a copy behind now and then when it moves rows between pages, and pages that are free are not written at all.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing

import apsw

from ...errors import EngineError
from .connection import Connection, connect, explain
from .database import Database
from .process_lock import ProcessLock
from .stale_wal import stale_logs

#: No larger file is rewritten, in bytes: no process can write meanwhile, and a caller waits for ten seconds
#: (`Database.write_timeout_s`). 93 MB took 4.2 s on two cores that had much else to do.
LARGEST_BYTES = 200_000_000

#: How long readers may keep the log from being truncated, and how long to pause before another try, in
#: seconds. Reads are short; in the pause others may write.
TRUNCATES_WITHIN_S, PAUSE_S = 5.0, 0.05


#: Why something of deleted rows may be left, for people.
TOO_LARGE = (
    "{path} is too large to be rewritten while others wait: what was deleted may still stand in its free "
    "pages. Run VACUUM on it when Recado is stopped."
)
STALE = "{path} is the log of a database that was lost, and nothing of it is deleted: delete the file."


def rewrite(database: Database) -> Sequence[str]:
    """Leave nothing of deleted rows in the file, nor in its log.

    Parameters:
      database: the database. Its other connections, and other processes, go on afterwards.

    Returns:
      Why something may be left all the same, for people; nothing where nothing is.

    Raises:
      EngineError: SQLite could not: the disk is full, or another program reads for too long.
    """
    stale = [STALE.format(path=path) for path in stale_logs(database.path)]
    if database.file_bytes() > LARGEST_BYTES:
        return [TOO_LARGE.format(path=database.path), *stale]
    database.read(lambda _: None)  # makes the file and the run directory where there are none
    try:
        # A lock of its own: the file descriptors of this process's writer would not exclude the writer.
        with (
            closing(ProcessLock(database.run_directory)) as process_lock,
            closing(connect(database.path)) as connection,
        ):
            process_lock.acquire_within(database.write_timeout_s)
            try:
                with connection.in_use:
                    connection.execute("VACUUM")
            finally:
                process_lock.release()
            _truncate_log(database, connection, process_lock)
    except apsw.Error as error:
        raise explain(database.path, error) from error
    return stale


def _truncate_log(database: Database, connection: Connection, process_lock: ProcessLock) -> None:
    deadline = time.monotonic() + TRUNCATES_WITHIN_S
    connection.set_busy_timeout(0)  # no waiting for readers under the process lock
    while True:
        process_lock.acquire_within(database.write_timeout_s)
        try:
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.BusyError as error:
            if time.monotonic() >= deadline:
                raise EngineError(
                    f"Deleted rows are still in the log of {database.path}: a program keeps reading. "
                    "End it, and do this again."
                ) from error
        else:
            return
        finally:
            process_lock.release()
        time.sleep(PAUSE_S)
