"""Copying the write-ahead log into the database file while others go on writing.

A checkpoint of a full log takes some 40 ms, most of it the disk's. Were it made by whoever commits, inside
the gate, nobody's message could be stored meanwhile. So a thread of its own copies the log outside the gate.
What was committed since then it copies inside, which takes a few milliseconds, and with nothing left to copy
the next commit begins the log anew.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import apsw

from .gate import Gate

logger = logging.getLogger(__name__)

#: The log is copied when so many of its 4 KiB pages are not. Larger than SQLite's 1,000: it halves the fsyncs
#: of the database file.
PAGES = 4_000

#: With so many pages in the log the commit that adds one copies them itself. It comes to that only when
#: copying cannot keep up, or when somebody keeps a snapshot open: the log cannot begin anew before that ends.
MOST_PAGES = 4 * PAGES

#: How long to rest when there was nothing to gain, in seconds: another process is at it, or a snapshot open.
REST_S = 0.1


class Checkpoints:
    """Has the log copied when it is time for that.

    Parameters:
      connect: opens a connection of the thread's own.
      run_directory: where the gate is.
    """

    def __init__(self, connect: Callable[[], apsw.Connection], run_directory: Path) -> None:
        self._connect = connect
        self._run_directory = run_directory
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def consider(self, connection: apsw.Connection) -> None:
        """Look how long the log is, which takes a microsecond. For one thread at a time, after a commit."""
        if not _is_due(connection) or (self._thread is not None and self._thread.is_alive()):
            return
        self._thread = threading.Thread(target=self._run, name="recado-checkpoint", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for what is going on."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            # Both its own: the writer's file descriptors would not exclude it, and its connection is in use.
            with closing(self._connect()) as connection, closing(Gate(self._run_directory)) as gate:
                copy_log(connection, gate)
                is_over = not _is_due(connection)
        except apsw.BusyError:
            is_over = False
        except (apsw.Error, OSError) as error:
            # Nothing is lost, the log only grows: should it last, the commits at MOST_PAGES will say so.
            logger.warning("The write-ahead log could not be copied: %s", error)
            is_over = False
        if not is_over:
            self._closing.wait(REST_S)


def copy_log(connection: apsw.Connection, gate: Gate) -> None:
    """Copy all of the log.

    Raises:
      apsw.BusyError: another process does.
    """
    connection.pragma("schema_version")  # a connection that has not read yet has no log
    connection.wal_checkpoint()
    with gate:
        connection.wal_checkpoint()


def _is_due(connection: apsw.Connection) -> bool:
    logged, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
    return logged - copied >= PAGES
