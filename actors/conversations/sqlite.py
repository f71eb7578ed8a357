"""Conversations in a SQLite file."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import apsw

from brokers.clock import now_ms
from brokers.sqlite.storage import Database

from ..messages import InboundMessage
from . import statements
from .store import Entry, Hold, HoldLost, Line, Reply, Summary, Turn, moves_forward

#: Which share of the disk's reserve is kept free of what contacts write: the queue needs it to settle that.
RESERVE_SHARE = 0.5


class SQLiteConversationStore:
    """A `ConversationStore` in one SQLite file, shared by any number of processes of one machine.

    Parameters:
      path: the database file; created when missing.
      clock: milliseconds since the epoch.
    """

    def __init__(self, path: str | Path, *, clock: Callable[[], int] = now_ms) -> None:
        self._database = Database(path, statements.SCHEMA)
        self._clock = clock

    @property
    def database(self) -> Database:
        """The file underneath."""
        return self._database

    # -- what comes in ------------------------------------------------------------------------------

    def append(self, message: InboundMessage, *, received_at: int) -> bool:
        self._database.disk_space.refuse_if_short(share=RESERVE_SHARE)
        now = self._clock()

        def apply(connection: apsw.Connection) -> bool:
            connection.execute(
                statements.KNOW_CONVERSATION,
                (message.conversation, message.account_sid, message.contact, message.address, now),
            )
            connection.execute(
                statements.APPEND,
                (
                    message.conversation,
                    message.account_sid,
                    message.message_sid,
                    message.body,
                    json.dumps(dict(message.payload), ensure_ascii=False),
                    received_at,
                ),
            )
            if not connection.changes():
                return False
            connection.execute(statements.WAS_SAID, (now, message.conversation))
            return True

        return self._database.write(apply)

    def set_aside(self, message: InboundMessage) -> None:
        self._mark(message, set_aside=1)

    def take_up(self, message: InboundMessage) -> None:
        self._mark(message, set_aside=0)

    def unanswered(self, conversation: str) -> Sequence[InboundMessage]:
        rows = self._database.read(lambda c: _unanswered(c, conversation))
        return [InboundMessage.from_twilio(json.loads(payload)) for _, _, _, payload in rows]

    def _mark(self, message: InboundMessage, *, set_aside: int) -> None:
        bindings = (set_aside, message.account_sid, message.message_sid)
        self._database.write(lambda c: _run(c, statements.SET_ASIDE, bindings))

    # -- answering ----------------------------------------------------------------------------------

    def hold(self, conversation: str, holder: str, *, is_live: Callable[[str], bool]) -> Hold | None:
        def take(void: str | None) -> Hold | None:
            row = self._write_one(statements.HOLD, {"key": conversation, "holder": holder, "void": void})
            return None if row is None else Hold(conversation, row[0])

        hold = take(None)
        if hold is None:
            other = self._read_one(statements.HOLDER, (conversation,))
            # Let go of meanwhile, or held for a message that will never look again.
            if other is not None and (other[0] is None or not is_live(other[0])):
                hold = take(other[0])
        return hold

    def turn(self, hold: Hold, *, history_limit: int) -> Turn:
        def apply(connection: apsw.Connection) -> Turn:
            rows = _unanswered(connection, hold.conversation)
            history: Any = connection.execute(
                statements.HISTORY, {"key": hold.conversation, "limit": history_limit}
            ).fetchall()
            return Turn(
                history=[Line._make(row) for row in reversed(history)],
                unanswered=[Line("contact", body) for _, body, _, _ in rows],
                keys=[key for key, _, _, _ in rows],
            )

        return self._database.read(apply)

    def answer(
        self,
        hold: Hold,
        turn: Turn,
        body: str,
        *,
        kind: Literal["answer", "fallback"],
        tokens: int | None = None,
    ) -> Reply:
        reply_id, now = uuid.uuid4().hex, self._clock()

        def apply(connection: apsw.Connection) -> Reply:
            fence: Any = connection.execute(statements.FENCE, (hold.conversation,)).fetchone()
            if fence is None or fence[0] != hold.fence:
                raise HoldLost(hold.conversation)
            # What came in since the turn was read is not answered by this.
            answered = [row for row in _unanswered(connection, hold.conversation) if row[0] in turn.keys]
            received_at = min((row[2] for row in answered), default=now)
            connection.execute(
                statements.WRITE_REPLY, (reply_id, hold.conversation, body, kind, tokens, received_at, now)
            )
            connection.execute(statements.MARK_ANSWERED, (reply_id, json.dumps([row[0] for row in answered])))
            connection.execute(statements.WAS_SAID, (now, hold.conversation))
            return _reply(connection, reply_id)

        return self._database.write(apply)

    def release(self, hold: Hold, *, unless_more: bool) -> bool:
        def apply(connection: apsw.Connection) -> bool:
            if unless_more:
                held: Any = connection.execute(statements.FENCE, (hold.conversation,)).fetchone()
                more = connection.execute(statements.UNANSWERED, (hold.conversation,)).fetchone()
                if more is not None and held is not None and held[0] == hold.fence:
                    return False
            connection.execute(statements.RELEASE, (hold.conversation, hold.fence))
            return True

        return self._database.write(apply)

    # -- sending ------------------------------------------------------------------------------------

    def next_to_send(self, conversation: str) -> Reply | None:
        row = self._read_one(statements.NEXT_TO_SEND, (conversation,))
        reply = None if row is None else Reply._make(row)
        return reply if reply is not None and reply.state == "pending" else None

    def begin_sending(
        self, reply_id: str, *, attempt: int | None = None, void: Sequence[int] = ()
    ) -> Reply | None:
        began_at = self._clock() if attempt is None else attempt

        def apply(connection: apsw.Connection) -> Reply | None:
            connection.execute(statements.BEGIN_SENDING, (began_at, reply_id, json.dumps(list(void))))
            return _reply(connection, reply_id) if connection.changes() else None

        return self._database.write(apply)

    def record_sent(self, reply_id: str, sid: str) -> None:
        self._database.write(lambda c: _run(c, statements.SENT, (sid, self._clock(), reply_id)))

    def record_not_sent(self, reply_id: str, error: str, *, final: bool) -> None:
        state = "failed" if final else "pending"
        self._database.write(lambda c: _run(c, statements.NOT_SENT, (state, error, reply_id)))

    def record_unknown(self, reply_id: str, error: str) -> None:
        self._database.write(lambda c: _run(c, statements.UNKNOWN, (error, reply_id)))

    def record_delivery(self, reply_id: str, *, sid: str, status: str, error: str | None) -> bool:
        now = self._clock()

        def apply(connection: apsw.Connection) -> bool:
            row: Any = connection.execute(statements.REPLY, (reply_id,)).fetchone()
            if row is None:
                return False
            # A callback names it, so it was sent, whatever we thought.
            connection.execute(statements.SENT, (sid, now, reply_id))
            if not moves_forward(Reply._make(row).delivery_status, status):
                return False
            connection.execute(statements.DELIVERY, (status, error, reply_id))
            return True

        return self._database.write(apply)

    def reply(self, reply_id: str) -> Reply | None:
        row = self._read_one(statements.REPLY, (reply_id,))
        return None if row is None else Reply._make(row)

    def thread(self, conversation: str, *, limit: int | None = None) -> Sequence[Entry]:
        bindings = {"key": conversation, "limit": -1 if limit is None else limit}
        rows = self._read_all(statements.THREAD, bindings)
        return [Entry._make((*fields, bool(set_aside))) for *fields, set_aside in reversed(rows)]

    def conversations(
        self, *, contact: str | None = None, limit: int = 50, offset: int = 0
    ) -> Sequence[Summary]:
        bindings = {"contact": contact, "limit": limit, "offset": offset}
        return [Summary._make(row) for row in self._read_all(statements.CONVERSATIONS, bindings)]

    def summary(self, conversation: str) -> Summary | None:
        row = self._read_one(statements.SUMMARY, (conversation,))
        return None if row is None else Summary._make(row)

    def conversation_of(self, message_id: str) -> str | None:
        account_sid, _, message_sid = message_id.partition(".")
        row = self._read_one(statements.CONVERSATION_OF, (account_sid, message_sid))
        return None if row is None else str(row[0])

    def knows_sid(self, sid: str) -> bool:
        return self._read_one(statements.KNOWS_SID, (sid,)) is not None

    def check(self, *, timeout_s: float) -> None:
        self._database.check(at_ms=self._clock(), timeout_s=timeout_s)

    def close(self) -> None:
        self._database.close()

    def _read_one(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda c: c.execute(statement, bindings).fetchone())

    def _read_all(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda c: c.execute(statement, bindings).fetchall())

    def _write_one(self, statement: str, bindings: Any) -> Any:
        return self._database.write(lambda c: c.execute(statement, bindings).fetchone())


def _unanswered(connection: apsw.Connection, conversation: str) -> Any:
    return connection.execute(statements.UNANSWERED, (conversation,)).fetchall()


def _reply(connection: apsw.Connection, reply_id: str) -> Reply:
    row: Any = connection.execute(statements.REPLY, (reply_id,)).fetchone()
    return Reply._make(row)


def _run(connection: apsw.Connection, statement: str, bindings: tuple[Any, ...]) -> None:
    connection.execute(statement, bindings)
