"""Has delayed messages follow a wall clock that is set back.

Delays have to outlive the process that asked for them, so they are kept by the wall clock: a message is due
at a certain time. When the clock is set back by a day, that time is a day further away, and a customer would
wait for so long. Such a message was enqueued in the future, as the clock says now: its delay begins anew.

A clock that is set forward makes delayed messages due early, and all of them older than they are. Nothing
can be done about either, because a machine that was asleep for a day looks the same.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import apsw

from .. import statements
from ..storage.connection import Connection
from ..storage.database import Database

logger = logging.getLogger(__name__)

#: By how much the clock is set back at least, in milliseconds, before anything is done about it. Less makes
#: delays longer by no more than that.
TOLERANCE_MS = 1_000


class ClockWatch:
    """Looks for a clock that was set back. For one thread at a time.

    Parameters:
      database: the queue's database.
      clock: milliseconds since the epoch.
      on_mended: called in the transaction that changes delays.
    """

    def __init__(self, database: Database, clock: Callable[[], int], on_mended: Callable[[], None]) -> None:
        self._database = database
        self._clock = clock
        self._on_mended = on_mended
        self._ahead_ms: float | None = None  # of the clock that nobody can set

    def look(self) -> None:
        """Mend the delays if the clock was set back since the last look, or may have been before the first.

        Raises:
          EngineError: SQLite could not; the next look tries again.
        """
        before_ms, ahead_ms = self._ahead_ms, self._clock() - time.monotonic() * 1_000
        if before_ms is None or ahead_ms < before_ms - TOLERANCE_MS:
            self._mend()
        self._ahead_ms = ahead_ms

    def _mend(self) -> None:
        if not self._database.read(self._has_any):
            return
        count = self._database.write(self._begin_anew)
        if count:
            logger.warning("The clock was set back: the delays of %d messages begin anew", count)

    def _has_any(self, connection: apsw.Connection) -> bool:
        now = self._clock() + TOLERANCE_MS
        return connection.execute(statements.DELAYED_BY_A_LATER_CLOCK, {"now": now}).fetchone() is not None

    def _begin_anew(self, connection: Connection) -> int:
        now = self._clock()
        connection.execute(statements.BEGIN_DELAYS_ANEW, {"now": now, "tolerance": TOLERANCE_MS})
        count = connection.changes()
        if count:
            self._on_mended()
        return count
