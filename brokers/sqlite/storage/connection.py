"""Opens connections to a database file, and says what their errors mean."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw

from ...errors import EngineError
from ...forks import forget_in_forks, open_handles, opening, refuse_if_unsafe, wait_in_forks_for
from .system_calls import F_FULLFSYNC

#: The size of a database page, in bytes: SQLite's default.
PAGE_BYTES = 4096

#: The length at which the file of a write-ahead log is kept, in pages: what may wait for a checkpoint, and
#: what is written during one under a heavy load. See `wal_checkpoint`.
KEPT_PAGES = 5_000

#: With so many pages in the log, the commit that adds one makes the checkpoint itself. The log gets that
#: long only where checkpoints cannot keep up, or where a program keeps a snapshot open: no log begins anew
#: before the snapshot ends.
AUTOCHECKPOINT_PAGES = 16_000

#: How long SQLite itself waits for a lock, in milliseconds: only backups and other programs ever hold one.
BUSY_TIMEOUT_MS = 5_000

#: The errors by which SQLite says that a file is damaged, or is no database.
MALFORMED = (apsw.CorruptError, apsw.NotADBError)


class Connection(apsw.Connection):
    """A connection that survives forks, and keeps a cursor: `execute` makes a new one for each statement.

    SQLite keeps a table of the locks that this process has on its files. A forked child inherits the table,
    but not the locks. If an inherited connection stayed open, the connections that the child opens would
    rely on locks that the child does not have, and the process that closes last would delete the log while
    others use it. See <https://www.sqlite.org/howtocorrupt.html>, 2.6.

    Attributes:
      in_use: a thread holds it while it works with this connection, and while no other process can keep the
        thread waiting for longer than SQLite's own timeout. Forks wait for it.
    """

    def __init__(self, path: str, *, flags: int) -> None:
        super().__init__(path, flags=flags)
        self.path = path
        self.in_use = threading.RLock()
        self._kept_cursor: apsw.Cursor | None = None

    @property
    def kept_cursor(self) -> apsw.Cursor:
        """The cursor for statements that return nothing.

        A result that is not read to its end keeps its snapshot open, over commits too, and the next use of
        the cursor cuts the result off without an error.
        """
        if self._kept_cursor is None:
            self._kept_cursor = self.cursor()
        return self._kept_cursor

    def close(self, force: bool = False) -> None:
        with opening, self.in_use:
            super().close(force)
            forget_in_forks(self)

    def abandon(self) -> None:
        """Close this connection in a forked child, and touch neither the file nor its log.

        This is SQLite's own procedure for forks: without a file descriptor nothing can be read, written or
        locked, and closing takes the parent's locks out of the table of locks in memory.
        """
        self.file_control("main", apsw.SQLITE_FCNTL_NULL_IO, 0)
        self.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        super().close(True)


def connections_to(path: str) -> list[Connection]:
    """Return the open connections of this process to a file, whatever they are for."""
    return [each for each in open_handles() if isinstance(each, Connection) and each.path == path]


def connect(path: Path, *, create: bool = False, read_only: bool = False) -> Connection:
    """Open a connection.

    Parameters:
      path: the database file.
      create: make the file when it is missing, instead of raising `apsw.CantOpenError`.
      read_only: refuse to write.

    Raises:
      EngineError: this process was forked in a way after which it cannot use SQLite.
    """
    refuse_if_unsafe()
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    with opening:
        connection = Connection(str(path), flags=flags)
        wait_in_forks_for(connection)
        try:
            _configure(connection, read_only=read_only)
        except BaseException:
            connection.close()
            raise
    return connection


def _configure(connection: Connection, *, read_only: bool) -> None:
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)  # before anything that can meet a lock
    # Plans do not depend on bound values. Otherwise SQLite would prepare a statement that asks what is due
    # anew for each new time, which takes longer than to run it.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("synchronous", "FULL")
    if F_FULLFSYNC is not None:
        connection.pragma("fullfsync", True)
        connection.pragma("checkpoint_fullfsync", True)
    # What is deleted from a page is overwritten with zeros. ON would also write each page that becomes free.
    connection.pragma("secure_delete", "FAST")
    connection.pragma("journal_size_limit", KEPT_PAGES * PAGE_BYTES)
    connection.wal_autocheckpoint(AUTOCHECKPOINT_PAGES)
    if read_only:
        connection.pragma("query_only", True)


def explain(path: Path, error: Exception) -> EngineError:
    """Return an error of SQLite's, or of the file system's, as one that Dramatiq's workers understand."""
    return EngineError(f"SQLite could not use {path}: {type(error).__name__}: {error}")
