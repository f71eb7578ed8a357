"""Giving space back to the disk, in steps between which others may write."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from pathlib import Path

import apsw

from .connection import Connection
from .gate import Gate
from .write_ahead_log import copy_log, excess_bytes, path_of_log

#: Freed pages of one step: moving them takes some 5 ms, which a webhook may have to wait.
PAGES_A_STEP = 500

#: The same where the disk is nearly full: pages are moved by way of the log.
PAGES_A_SMALL_STEP = 50


def give_back(connection: Connection, gate: Gate, *, in_small_steps: bool = False) -> Iterator[None]:
    """Return free pages to the disk, and what the log has beyond the length it keeps, step by step.

    Ends when others want to write: space can wait.

    Parameters:
      connection: one that nobody else uses.
      gate: not the one of this process's writer, whose file descriptors would not exclude it.
      in_small_steps: take little space for it meanwhile.

    Raises:
      apsw.BusyError: somebody reads; the next round will do.
    """
    pages = PAGES_A_SMALL_STEP if in_small_steps else PAGES_A_STEP
    with connection.in_use:
        connection.set_busy_timeout(0)  # nobody shall wait at the gate for a reader to end
        log = path_of_log(Path(connection.filename))
        free_pages = connection.pragma("freelist_count")
    for _ in range(max(1, ceil(free_pages / pages))):  # not what is freed meanwhile
        copy_log(connection)  # with all the disk has to do for it outside the gate
        if not gate.try_enter():
            return
        try:
            with connection.in_use:
                connection.execute(f"PRAGMA incremental_vacuum({pages})").fetchall()
                if excess_bytes(log):
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        finally:
            gate.leave()
        yield
    copy_log(connection)
