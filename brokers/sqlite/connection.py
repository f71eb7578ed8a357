"""Connections to a database file, and what their errors mean."""

from __future__ import annotations

from pathlib import Path

import apsw

from ..errors import EngineError
from .write_ahead_log import KEPT_PAGES, MOST_PAGES, PAGE_BYTES

#: How long SQLite itself waits for a lock: only backups and other programs ever hold one against us.
BUSY_TIMEOUT_MS = 5_000


#: What SQLite says of a file that is damaged, or is none of its own.
MALFORMED = (apsw.CorruptError, apsw.NotADBError)


class Connection(apsw.Connection):
    """A connection with a cursor at hand: `execute` makes a new one for each statement."""

    _at_hand: apsw.Cursor | None = None

    @property
    def at_hand(self) -> apsw.Cursor:
        """For statements that return nothing.

        A result that is not read to its end keeps its snapshot open, over commits too, and the cursor's next
        use cuts it off without a word.
        """
        if (
            self._at_hand is None
        ):  # no `cached_property`: before Python 3.12 it has a lock, which outlives a fork
            self._at_hand = self.cursor()
        return self._at_hand


def connect(path: Path, *, create: bool = False, read_only: bool = False) -> Connection:
    """Open a connection.

    Parameters:
      path: the database file.
      create: make the file when it is missing, instead of raising `apsw.CantOpenError`.
      read_only: refuse to write.
    """
    flags = apsw.SQLITE_OPEN_READWRITE | (apsw.SQLITE_OPEN_CREATE if create else 0)
    connection = Connection(str(path), flags=flags)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)  # before anything that can meet a lock
    # Plans do not depend on what is bound. Otherwise a statement that asks what is due would be prepared anew
    # for each new time, which takes longer than to run it.
    connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
    connection.pragma("synchronous", "FULL")
    connection.pragma("journal_size_limit", KEPT_PAGES * PAGE_BYTES)
    connection.wal_autocheckpoint(MOST_PAGES)
    if read_only:
        connection.pragma("query_only", True)
    return connection


def explain(path: Path, error: Exception) -> EngineError:
    """An error of SQLite's, or of the file system's, as one that Dramatiq's workers understand."""
    return EngineError(f"SQLite could not use {path}: {type(error).__name__}: {error}")
