"""Keeps the write-ahead log of one database from being replayed onto another.

SQLite replays any write-ahead log that lies beside a database file, whichever database it belongs to. So a
log whose database is gone is renamed before a connection is opened. An operator can still read it, with the
file or the backup that it belongs to.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from ...clock import now_ms
from .files import WAL, WAL_INDEX, Files, Identities, beside, wal_of

logger = logging.getLogger(__name__)

#: What the name of a log that was set aside has behind its own, before the time.
STALE = ".stale-"


def stale_logs(database: Path) -> list[Path]:
    """Return the logs that were set aside and that nobody has deleted."""
    return sorted(database.parent.glob(f"{database.name}{WAL}{STALE}*"))


def set_stale_wal_aside(database: Path, lost: Identities | None) -> None:
    """Rename a log, and its index, that cannot belong to the database file that lies there.

    The caller holds the process lock, so no other process of Recado's opens the database meanwhile.

    Parameters:
      database: the path of the database file.
      lost: the files that this process had open when it found the database deleted or replaced; None where
        that did not happen.

    Raises:
      OSError: a file cannot be renamed.
    """
    now = Files(database).opened
    has_wal = now.wal is not None or now.wal_index is not None
    if now.database is None:
        is_stale = has_wal  # an empty database has no log: SQLite would delete it
        if has_wal or lost is not None:
            # The file was emptied while it was open. Other processes still have SQLite's locks on it.
            database.unlink(missing_ok=True)
    else:
        # A new database beside the log of the old one.
        is_stale = has_wal and lost is not None and now.wal == lost.wal and now.database != lost.database
        # An index without its log says where pages are in a file that is gone.
        is_stale |= now.wal is None and now.wal_index is not None
    if not is_stale:
        return
    ending = f"{STALE}{now_ms()}"
    size = 0
    for suffix in (WAL, WAL_INDEX):
        path = beside(database, suffix)
        with suppress(FileNotFoundError):
            size += path.stat().st_size if suffix == WAL else 0
            path.rename(path.with_name(path.name + ending))
    logger.error(
        "The database of the write-ahead log %s is gone: the log, of %d bytes, is kept as %s. What is "
        "only in the log is not in the database",
        wal_of(database),
        size,
        wal_of(database).name + ending,
    )
