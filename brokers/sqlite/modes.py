"""Who may read what lies beside a database, and the database itself.

Messages are private, so what is made here is its owner's alone. What is there already keeps its mode: a
database file that was made with a group's rights shares what is made beside it with that group, as far as the
umask allows.
"""

from __future__ import annotations

import os
from pathlib import Path

#: Read and write, for all three classes of users, and for the owner.
_FILE, _OWNER = 0o666, 0o600


def make_database(path: Path) -> None:
    """Make a database file of its owner's alone, unless there is one.

    SQLite gives a log and an index the mode of their database.

    Raises:
      OSError: it cannot be made.
    """
    try:
        # Never a file that is there: closing it would drop the locks that SQLite has on it in this process.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER))
    except FileExistsError:
        return


def make_run_directory(directory: Path, database: Path) -> None:
    """Make a run directory for those that may use the database, unless there is one.

    Raises:
      OSError: it cannot be made.
    """
    try:
        mode = (database.stat().st_mode & _FILE) | _OWNER
    except FileNotFoundError:
        mode = _OWNER
    # A directory can be searched by those that may read it.
    directory.mkdir(mode=mode | (mode & 0o444) >> 2, parents=True, exist_ok=True)


def mode_in(directory: Path) -> int:
    """The mode of a new file in a run directory: it is for those that the directory is for."""
    return directory.stat().st_mode & _FILE
