"""The replies of conversations in a SQLite file, from written to delivered."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from brokers.sqlite.storage import Database

from ..channels.channel import DeliveryStatus
from ..reply import ACCEPTED, Content, DecidedState, Reply, ReplyState
from . import reply_statements, sqlite_usage, statements


class SQLiteReplies:
    """The verbs of `SQLiteConversationStore` that bring replies from one state into the next."""

    _database: Database
    _clock: Callable[[], int]

    def next_to_send(self, conversation: str) -> str | None:
        return self._database.read(lambda c: next_to_send(c, conversation))

    def begin_sending(
        self, reply_id: str, *, attempt: int | None = None, void: Sequence[int] = ()
    ) -> Reply | None:
        began_at = self._clock() if attempt is None else attempt

        def apply(connection: apsw.Connection) -> Reply | None:
            connection.execute(reply_statements.BEGIN_SENDING, (began_at, reply_id, json.dumps(list(void))))
            return reply_of(connection, reply_id) if connection.changes() else None

        return self._database.write(apply)

    def record_sent(
        self, reply_id: str, external_id: str, *, segments: int | None = None, cost: int = 0
    ) -> str | None:
        now = self._clock()

        def apply(connection: apsw.Connection) -> str | None:
            sqlite_usage.sent(connection, reply_id, external_id, segments=segments, cost=cost, now=now)
            row: Any = connection.execute(reply_statements.CONVERSATION, (reply_id,)).fetchone()
            return None if row is None else next_to_send(connection, row[0])

        return self._database.write(apply)

    def record_not_sent(self, reply_id: str, error: str, *, final: bool) -> None:
        self._record(reply_id, "failed" if final else "pending", error)

    def record_unknown(self, reply_id: str, error: str) -> None:
        self._record(reply_id, "unknown", error)

    def _record(self, reply_id: str, state: ReplyState, error: str) -> None:
        def apply(connection: apsw.Connection) -> None:
            connection.execute(reply_statements.NOT_SENT[state], (error, reply_id))

        self._database.write(apply)

    def record_cancelled(self, reply_id: str, why: str) -> None:
        self._record(reply_id, "cancelled", why)

    def record_delivery(self, reply_id: str, status: DeliveryStatus) -> bool:
        sid, now = status.external_id, self._clock()

        def apply(connection: apsw.Connection) -> bool:
            row: Any = connection.execute(reply_statements.DELIVERY_STATE, (reply_id,)).fetchone()
            if row is None:
                return False
            state, known_sid, rank, times_sent_again = row
            if times_sent_again and known_sid is not None and (known_sid == sid) != (state in ACCEPTED):
                return False  # of the sending before, which is of no interest any more
            if state not in ACCEPTED:
                # A callback names the reply, so the reply was sent, whatever its state says.
                sqlite_usage.sent(connection, reply_id, sid, segments=None, cost=0, now=now)
                rank = None
            if rank is not None and status.rank <= rank:
                return False
            if status.is_failure:
                connection.execute(reply_statements.UNDELIVERED, (reply_id,))
            elif state == "undelivered":  # it did arrive, after all
                connection.execute(reply_statements.ARRIVED, {"reply_id": reply_id, "sid": sid, "now": now})
            told = {
                "reply_id": reply_id,
                "sid": sid,
                "status": status.status,
                "rank": status.rank,
                "error": status.error,
                "is_final": status.is_final,
            }
            connection.execute(reply_statements.DELIVERY, told)
            return True

        return self._database.write(apply)

    def decide(self, reply_id: str, state: DecidedState, *, by: str) -> Reply | None:
        bindings: dict[str, Any] = {"reply_id": reply_id, "by": by, "now": self._clock()}

        def apply(connection: apsw.Connection) -> Reply | None:
            connection.execute(reply_statements.DECIDED[state], bindings)
            if not connection.changes():
                return None
            if state == "sent":
                sqlite_usage.sent_as_known(connection, reply_id, now=bindings["now"])
            return reply_of(connection, reply_id)

        return self._database.write(apply)

    def reply(self, reply_id: str) -> Reply | None:
        return self._database.read(lambda c: reply_of(c, reply_id))

    def is_known(self, external_id: str) -> bool:
        return self._read_one(statements.IS_KNOWN, (external_id,)) is not None

    def _read_one(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda c: c.execute(statement, bindings).fetchone())


def reply_of(connection: apsw.Connection, reply_id: str) -> Reply | None:
    row: Any = connection.execute(reply_statements.REPLY, (reply_id,)).fetchone()
    if row is None:
        return None
    *fields, content, times_sent_again, heard_at = row
    return Reply._make((*fields, Content.read(content), times_sent_again, heard_at))


def next_to_send(connection: apsw.Connection, conversation: str) -> str | None:
    row: Any = connection.execute(reply_statements.NEXT_TO_SEND, (conversation,)).fetchone()
    return None if row is None or row[1] != "pending" else row[0]
