"""Giving space back to the disk, in steps between which others may write."""

from __future__ import annotations

from pathlib import Path

import apsw

from .gate import Gate
from .write_ahead_log import copy_log, excess_bytes, path_of_log

#: Freed pages of one step: moving them takes some 20 ms, which a webhook may have to wait.
PAGES_A_STEP = 500

#: How many steps are made at a time.
STEPS = 40


def give_back(connection: apsw.Connection, gate: Gate) -> None:
    """Return free pages to the disk, and what the write-ahead log has beyond the length it keeps.

    Ends when others want to write: space can wait.

    Parameters:
      connection: one that nobody else uses.
      gate: not the one of this process's writer, whose file descriptors would not exclude it.

    Raises:
      apsw.BusyError: somebody reads; the next round will do.
    """
    connection.set_busy_timeout(0)  # nobody shall wait at the gate for a reader to end
    log = path_of_log(Path(connection.filename))
    copy_log(connection)  # most of it, while others write: the first step copies the rest
    for _ in range(STEPS):
        if not gate.try_enter():
            return
        try:
            connection.execute(f"PRAGMA incremental_vacuum({PAGES_A_STEP})").fetchall()
            cut = apsw.SQLITE_CHECKPOINT_TRUNCATE if excess_bytes(log) else apsw.SQLITE_CHECKPOINT_PASSIVE
            connection.wal_checkpoint(mode=cut)
        finally:
            gate.leave()
        if connection.pragma("freelist_count") == 0 and not excess_bytes(log):
            return
