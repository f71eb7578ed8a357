"""Notices when the files of a database are no longer the ones that this process opened.

A file that was deleted can still be read and written through an open handle, and all of that is gone with the
process. So each commit is followed, and each read is preceded, by a look at the three paths.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from .file_modes import mode_in
from .statx import DirectoryChanges, FileStatus, Identity

#: Which file is lost. database: the file was deleted, emptied, or replaced by another. wal: the write-ahead
#: log or its index was, and the database is still the one that was opened. damaged: the files are the same,
#: and SQLite cannot read them.
Loss = Literal["database", "wal", "damaged"]

#: The text of errors and log lines for each loss, after the name of the database.
LOSS_TEXTS: Mapping[Loss, str] = {
    "database": "was deleted or replaced while it was open",
    "wal": "has lost its write-ahead log, or the log's index, while it was open",
    "damaged": "is damaged",
}

#: The ends of the names of a write-ahead log and of its index.
WAL, WAL_INDEX = "-wal", "-shm"

#: The file in the run directory that records which write-ahead log the processes use.
_RECORD = "log"


class Identities(NamedTuple):
    """Which files lie at the three paths; None where there is none."""

    database: Identity | None
    wal: Identity | None
    wal_index: Identity | None


class Files:
    """The files of one database, as they were when this object was made. Threads may share it.

    Parameters:
      database: the path of the database file, which a connection has open.

    Attributes:
      opened: which files they were.
    """

    def __init__(self, database: Path) -> None:
        self._database = FileStatus(database)
        self._wal = FileStatus(beside(database, WAL))
        self._wal_index = FileStatus(beside(database, WAL_INDEX))
        self._directory = DirectoryChanges(database.parent)
        self.opened = self.now()

    def now(self) -> Identities:
        """Return which files lie there now. An empty database file counts as none: no open one is empty.

        Raises:
          OSError: the directory cannot be searched.
        """
        return Identities(
            self._database.identity(unless_empty=True), self._wal.identity(), self._wal_index.identity()
        )

    def lost(self) -> Loss | None:
        """Return which file is lost, or None.

        Raises:
          OSError: the directory cannot be searched.
        """
        opened = self.opened
        if self._database.identity(unless_empty=True) != opened.database:
            return "database"
        # Emptying the database changes nothing in the directory. The loss of one of the other two does.
        change = self._directory.latest()
        if change is None:
            return None
        if self._wal.identity() != opened.wal or self._wal_index.identity() != opened.wal_index:
            # Again: a process that deletes all three files may have been halfway through.
            return "wal" if self.now().database == opened.database else "database"
        self._directory.know(change)
        return None


def record_wal(run_directory: Path, wal: Identity | None) -> None:
    """Record, for all processes, which write-ahead log they use now. The caller holds the process lock."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(run_directory / _RECORD, flags, mode_in(run_directory)), "w") as file:
        file.write(repr(wal))


def is_recorded_wal(run_directory: Path, wal: Identity | None) -> bool:
    """Return whether the processes still use this log: no process has begun another one since."""
    try:
        return (run_directory / _RECORD).read_text() == repr(wal)
    except FileNotFoundError:
        return False


def beside(database: Path, suffix: str) -> Path:
    """Return the path of a file that SQLite keeps beside a database."""
    return database.with_name(database.name + suffix)


def wal_of(database: Path) -> Path:
    """Return the path of a database's write-ahead log."""
    return beside(database, WAL)


def size_bytes(path: Path) -> int:
    """Return the size of a file; 0 while there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
