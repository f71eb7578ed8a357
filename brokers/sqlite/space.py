"""Giving space back to the disk, in steps between which others may write."""

from __future__ import annotations

import apsw

from .checkpoints import copy_log
from .gate import Gate

#: Freed pages of one step: moving them takes some 20 ms, which a webhook may have to wait.
PAGES_A_STEP = 500

#: How many steps are made at a time.
STEPS = 40


def give_back(connection: apsw.Connection, gate: Gate) -> None:
    """Return free pages to the disk, and truncate the write-ahead log.

    Ends when others want to write: space can wait.

    Parameters:
      connection: one that nobody else uses.
      gate: not the one of this process's writer, whose file descriptors would not exclude it.

    Raises:
      apsw.BusyError: somebody reads; the next round will do.
    """
    connection.set_busy_timeout(0)  # nobody shall wait at the gate for a reader to end
    copy_log(connection, gate)
    for _ in range(STEPS):
        if not gate.try_enter():
            return
        try:
            connection.execute(f"PRAGMA incremental_vacuum({PAGES_A_STEP})").fetchall()
            connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            gate.leave()
        if connection.pragma("freelist_count") == 0:
            return
