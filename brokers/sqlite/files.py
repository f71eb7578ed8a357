"""Noticing that the files of a database are no longer the ones that this process opened.

A file that was deleted can still be read and written through an open handle, and all of that is gone with the
process. So each commit and each read is followed by a look at the three paths.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from .glance import Glances
from .modes import mode_in

#: What is lost. database: the file was deleted, emptied, or replaced by another. log: the write-ahead log or
#: its index was, and the database is still the one that was opened. damaged: the files are the same, and
#: SQLite cannot make sense of them.
Loss = Literal["database", "log", "damaged"]

#: What is said of each, after the name of the database.
SAID: Mapping[Loss, str] = {
    "database": "was deleted or replaced while it was open",
    "log": "has lost its write-ahead log, or the log's index, while it was open",
    "damaged": "is damaged",
}

#: A file, as the kernel tells it from all others: inode and device.
Identity = tuple[int, int, int]

LOG, INDEX = "-wal", "-shm"

#: The file in the run directory that names the log.
_NOTE = "log"


class Identities(NamedTuple):
    """Which files lie at the three paths; None where there is none."""

    database: Identity | None
    log: Identity | None
    log_index: Identity | None


class Files:
    """The files of one database, as they were when this was made. Threads may share it.

    Parameters:
      database: the path of the database file, which a connection has open.

    Attributes:
      opened: which files they were.
    """

    def __init__(self, database: Path) -> None:
        self._glances = [Glances(beside(database, suffix)) for suffix in ("", LOG, INDEX)]
        self.opened = self.now()

    def now(self) -> Identities:
        """Tell which files lie there now. An empty database file is none: one that is open never is empty.

        Raises:
          OSError: the directory cannot be searched.
        """
        database, log, log_index = self._glances
        return Identities(
            database.identity(unless_empty=True),
            log.identity(),
            log_index.identity(),
        )

    def lost(self) -> Loss | None:
        """Tell what is lost, or None.

        Raises:
          OSError: as of `now`.
        """
        now = self.now()
        if now == self.opened:
            return None
        return "log" if now.database == self.opened.database else "database"


def note_log(run_directory: Path, log: Identity | None) -> None:
    """Note, for all processes, which log the database goes by now. The caller is inside the gate."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(run_directory / _NOTE, flags, mode_in(run_directory)), "w") as file:
        file.write(repr(log))


def is_noted(run_directory: Path, log: Identity | None) -> bool:
    """Whether the database still goes by this log: no process has begun another one since."""
    try:
        return (run_directory / _NOTE).read_text() == repr(log)
    except FileNotFoundError:
        return False


def beside(database: Path, suffix: str) -> Path:
    """The path of a file that SQLite keeps beside a database."""
    return database.with_name(database.name + suffix)
