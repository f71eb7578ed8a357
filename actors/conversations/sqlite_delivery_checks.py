"""Which sent replies the channel is asked about, in the conversations' SQLite file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from brokers.sqlite.storage import Database

from ..reply import Reply
from . import reply_statements as statements


class SQLiteDeliveryChecks:
    """`DeliveryChecks` in a SQLite file.

    Parameters:
      database: the file that a `SQLiteConversationStore` keeps.
      clock: milliseconds since the epoch.
      reply: returns a reply by its id.
    """

    def __init__(
        self, database: Database, clock: Callable[[], int], *, reply: Callable[[str], Reply | None]
    ) -> None:
        self._database = database
        self._clock = clock
        self._reply = reply

    def begin(self, *, every_ms: int) -> bool:
        return self._run(statements.BEGIN_DELIVERY_CHECK, {"now": self._clock(), "every": every_ms}) > 0

    def take(self, looks_ms: Sequence[int]) -> Reply | None:
        now, first_ms, last_ms = self._clock(), looks_ms[0], looks_ms[-1]
        bindings = {
            "now": now,
            "first": first_ms,
            "looks": json.dumps(list(looks_ms)),
            "oldest": now - first_ms - last_ms,
        }
        row: Any = self._database.write(lambda c: c.execute(statements.TAKE_OPEN, bindings).fetchone())
        return None if row is None else self._reply(row[0])

    def put_back(self, reply_id: str, looks_ms: Sequence[int], *, delay_ms: int) -> None:
        now = self._clock()
        since = now + delay_ms - looks_ms[0]
        bindings = {"reply_id": reply_id, "since": since, "oldest": now - looks_ms[-1]}
        self._run(statements.PUT_BACK_OPEN, bindings)

    def close(self, reply_id: str) -> None:
        self._run(statements.CLOSE_OPEN, (reply_id,))

    def _run(self, statement: str, bindings: Any) -> int:
        """Run a statement; return how many rows it changed."""

        def apply(connection: apsw.Connection) -> int:
            connection.execute(statement, bindings)
            return connection.changes()

        return self._database.write(apply)
