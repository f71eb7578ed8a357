"""Decides which users may read a database, and the files beside it.

Messages are private: a file that is made here belongs to its owner alone. A file that is there already keeps
its mode. A database file that was made with the rights of a group shares the files beside it with that group,
as far as the umask allows.
"""

from __future__ import annotations

import os
from pathlib import Path

#: Read and write: for all three classes of users, and for the owner.
_ALL_USERS, _OWNER = 0o666, 0o600


def make_database(path: Path) -> None:
    """Make a database file that belongs to its owner alone, unless there is one.

    SQLite gives the write-ahead log and its index the mode of their database.

    Raises:
      OSError: the file cannot be made.
    """
    try:
        # O_EXCL: a file that is there is never opened here. Closing it would drop the locks that SQLite has
        # on it in this process.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER))
    except FileExistsError:
        return


def make_run_directory(directory: Path, database: Path) -> None:
    """Make a run directory for the users that may use the database, unless there is one.

    Raises:
      OSError: the directory cannot be made.
    """
    try:
        mode = (database.stat().st_mode & _ALL_USERS) | _OWNER
    except FileNotFoundError:
        mode = _OWNER
    # Each class of users that may read a directory may search it, too.
    directory.mkdir(mode=mode | (mode & 0o444) >> 2, parents=True, exist_ok=True)


def mode_in(directory: Path) -> int:
    """Return the mode of a new file in a run directory: for the users that the directory is for."""
    return directory.stat().st_mode & _ALL_USERS
