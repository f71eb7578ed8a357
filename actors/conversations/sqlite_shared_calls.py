"""The calls that all workers share, kept with the conversations in SQLite."""

from __future__ import annotations

from collections.abc import Callable

import apsw

from brokers.sqlite.storage import Database

from .shared_calls import MOST_PAUSED_MS, WANTED_MS, Taking, taking

#: The calls that all workers share. A call whose lease is over is in flight no more: its worker died. A lease
#: that seems longer than any was noted by a clock that was set back since.
END_LATE_CALLS = "DELETE FROM shared_call WHERE until <= :now OR until > :now + :longest"

EXTEND_CALL = "UPDATE shared_call SET until = ? WHERE holder = ?"

CALLS_IN_FLIGHT = "SELECT address, count(*) FROM shared_call GROUP BY address"

END_LATE_WANTS = "DELETE FROM call_wanted WHERE until <= :now OR until > :now + :longest"

CALLS_WANTED = "SELECT address FROM call_wanted ORDER BY since, address"

TAKE_CALL = "INSERT INTO shared_call (holder, address, until) VALUES (?, ?, ?)"

WANT_CALL = """
INSERT INTO call_wanted (address, since, until) VALUES (?, ?, ?)
ON CONFLICT (address) DO UPDATE SET until = excluded.until
"""

WANT_NO_CALL = "DELETE FROM call_wanted WHERE address = ?"

END_CALL = "DELETE FROM shared_call WHERE holder = ?"

#: An end later than a pause can have was noted by a clock that was set back since.
PAUSE_CALLS = "UPDATE calls_paused SET until = max(:until, iif(until > :latest, 0, until))"


class SQLiteSharedCalls:
    """See `SharedCalls`. None of it has to survive a power cut: then no call is in flight.

    Parameters:
      database: of the conversations.
      clock: milliseconds since the epoch.
    """

    def __init__(self, database: Database, clock: Callable[[], int]) -> None:
        self._database = database
        self._clock = clock

    def take(self, holder: str, address: str, *, most: int, lease_ms: int) -> Taking:
        now = self._clock()

        def apply(connection: apsw.Connection) -> Taking:
            connection.execute(END_LATE_CALLS, {"now": now, "longest": lease_ms})
            connection.execute(EXTEND_CALL, (now + lease_ms, holder))
            if connection.changes():
                return "taken"
            in_flight = dict(connection.execute(CALLS_IN_FLIGHT))
            connection.execute(END_LATE_WANTS, {"now": now, "longest": WANTED_MS})
            waiting = [str(row[0]) for row in connection.execute(CALLS_WANTED)]
            taken = taking(in_flight, waiting, address, most=most)
            if taken == "taken":
                connection.execute(TAKE_CALL, (holder, address, now + lease_ms))
                connection.execute(WANT_NO_CALL, (address,))
            else:
                connection.execute(WANT_CALL, (address, now, now + WANTED_MS))
            return taken

        return self._database.write(apply, durable=False)

    def end(self, holder: str) -> None:
        self._write(END_CALL, (holder,))

    def pause(self, pause_ms: int) -> None:
        now = self._clock()
        latest = now + MOST_PAUSED_MS
        bindings = {"until": min(now + pause_ms, latest), "latest": latest}
        self._write(PAUSE_CALLS, bindings)

    def _write(self, statement: str, bindings: apsw.Bindings) -> None:
        def apply(connection: apsw.Connection) -> None:
            connection.execute(statement, bindings)

        self._database.write(apply, durable=False)
