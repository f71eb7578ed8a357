"""Connections to a database file, and what their errors mean."""

from __future__ import annotations

import threading
from pathlib import Path

import apsw

from ..errors import EngineError
from ..forks import forget_in_forks, open_handles, opening, refuse_if_unsafe, wait_in_forks_for
from .write_ahead_log import KEPT_PAGES, MOST_PAGES, PAGE_BYTES

#: How long SQLite itself waits for a lock: only backups and other programs ever hold one against us.
BUSY_TIMEOUT_MS = 5_000


#: What SQLite says of a file that is damaged, or is none of its own.
MALFORMED = (apsw.CorruptError, apsw.NotADBError)


class Connection(apsw.Connection):
    """A connection that knows of forks, with a cursor at hand: `execute` makes a new one for each statement.

    SQLite keeps a table of the locks that this process holds on its files, and a child inherits the table but
    not the locks. Were an inherited connection left open, the connections that the child opens would count on
    locks that it does not have, and the process that closes last would delete the log under the others.
    See <https://www.sqlite.org/howtocorrupt.html>, 2.6.

    Attributes:
      in_use: a thread holds it while it works with this connection, and while no other process can keep it
        waiting for longer than SQLite's own timeout. Forks wait for it.
    """

    def __init__(self, path: str, *, flags: int) -> None:
        super().__init__(path, flags=flags)
        self.path = path
        self.in_use = threading.RLock()
        self._at_hand: apsw.Cursor | None = None

    @property
    def at_hand(self) -> apsw.Cursor:
        """For statements that return nothing.

        A result that is not read to its end keeps its snapshot open, over commits too, and the cursor's next
        use cuts it off without a word.
        """
        if self._at_hand is None:
            self._at_hand = self.cursor()
        return self._at_hand

    def close(self, force: bool = False) -> None:
        with opening, self.in_use:
            super().close(force)
            forget_in_forks(self)

    def abandon(self) -> None:
        """In a forked child: close this connection, and touch neither the file nor its log.

        It is SQLite's own procedure for forks: without a file descriptor nothing can be read, written or
        locked, and closing takes the parent's locks out of the table of locks in memory.
        """
        self.file_control("main", apsw.SQLITE_FCNTL_NULL_IO, 0)
        self.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
        super().close(True)


def connections_to(path: str) -> list[Connection]:
    """The open connections of this process to a file, whatever they are for."""
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
    # Plans do not depend on what is bound. Otherwise a statement that asks what is due would be prepared anew
    # for each new time, which takes longer than to run it.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("synchronous", "FULL")
    connection.pragma("journal_size_limit", KEPT_PAGES * PAGE_BYTES)
    connection.wal_autocheckpoint(MOST_PAGES)
    if read_only:
        connection.pragma("query_only", True)


def explain(path: Path, error: Exception) -> EngineError:
    """An error of SQLite's, or of the file system's, as one that Dramatiq's workers understand."""
    return EngineError(f"SQLite could not use {path}: {type(error).__name__}: {error}")
