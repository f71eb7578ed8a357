"""Keeping the log of one database from being replayed onto another.

SQLite replays any write-ahead log that lies beside a database file, whichever database it belongs to. So a
log whose database is gone is renamed before a connection is opened. What is in it can still be looked at,
with the file or the backup that it belongs to.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path

from ..clock import now_ms
from .files import INDEX, LOG, Files, Identities, beside

logger = logging.getLogger(__name__)


def set_stale_log_aside(database: Path, lost: Identities | None) -> None:
    """Rename a log, and its index, that cannot belong to the database file that lies there.

    The caller is inside the gate, so no other process of Recado's opens the database meanwhile.

    Parameters:
      database: the path of the database file.
      lost: the files that this process had open when it found the database deleted or replaced; None
        where that did not happen.

    Raises:
      OSError: a file cannot be renamed.
    """
    now = Files(database).opened
    has_log = now.log is not None or now.log_index is not None
    if now.database is None:
        is_stale = has_log  # an empty database has no log: SQLite would delete it
        if has_log or lost is not None:
            # It was emptied while it was open. Other processes still have SQLite's locks on the file.
            database.unlink(missing_ok=True)
    else:
        # A new database, and still the log of the old one.
        is_stale = has_log and lost is not None and now.log == lost.log and now.database != lost.database
        # An index without its log says where pages are in a file that is gone.
        is_stale |= now.log is None and now.log_index is not None
    if not is_stale:
        return
    ending = f".stale-{now_ms()}"
    size = 0
    for suffix in (LOG, INDEX):
        path = beside(database, suffix)
        with suppress(FileNotFoundError):
            size += path.stat().st_size if suffix == LOG else 0
            path.rename(path.with_name(path.name + ending))
    logger.error(
        "The database of the write-ahead log %s is gone: the log, of %d bytes, is kept as %s, and what only "
        "it holds is not in the database",
        beside(database, LOG),
        size,
        beside(database, LOG).name + ending,
    )
