"""Conversations in a SQLite file."""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import apsw

from brokers.clock import now_ms
from brokers.sqlite.storage import Database

from ..answer import Usage
from ..channels.channel import DeliveryStatus, InboundMessage
from ..conversation import Mode, decoded
from ..keys import ConversationKey, MessageId, opt_out_digest
from ..reply import ACCEPTED, NOTHING_ELSE, Content, DecidedState, Reply, ReplyKind, ReplyState
from . import statements
from .keeper import OPTED_OUT_BEFORE
from .sqlite_keeper import SQLiteConversationKeeper
from .sqlite_notices import SQLiteNoticeStore
from .sqlite_reader import SQLiteConversationReader
from .store import Hold, HoldLost, Turn, Utterance

#: Which share of the disk's reserve is kept free of what contacts write: the queue needs it to settle that.
RESERVE_SHARE = 0.5


class SQLiteConversationStore:
    """A `ConversationStore` in one SQLite file, shared by any number of processes of one machine.

    Parameters:
      path: the database file; created when missing.
      retention_s: for how many seconds `keeper` keeps what has come to rest.
      clock: milliseconds since the epoch.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        retention_s: float = 30 * 86_400,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = Database(path, statements.SCHEMA)
        self._retention_ms = int(retention_s * 1000)
        self._clock = clock

    @property
    def database(self) -> Database:
        """The file underneath."""
        return self._database

    @property
    def reader(self) -> SQLiteConversationReader:
        """What people look at."""
        return SQLiteConversationReader(self._database)

    @property
    def notices(self) -> SQLiteNoticeStore:
        """The events that people are told of."""
        return SQLiteNoticeStore(self._database)

    @property
    def keeper(self) -> SQLiteConversationKeeper:
        """Exports, erases, and deletes what is old."""
        return SQLiteConversationKeeper(self._database, retention_ms=self._retention_ms, clock=self._clock)

    # -- what comes in ------------------------------------------------------------------------------

    def append(self, message: InboundMessage, *, received_at: int) -> bool:
        self._database.disk_space.refuse_if_short(share=RESERVE_SHARE)
        now = self._clock()

        key = message.conversation
        payload = json.dumps(dict(message.payload), ensure_ascii=False)
        said = (
            key,
            message.account,
            message.external_id,
            message.text,
            payload,
            received_at,
        )
        heard = {
            "key": key,
            "now": now,
            "received_at": received_at,
            "name": message.contact.name,
        }

        def apply(connection: apsw.Connection) -> bool:
            self._know(connection, key, message.channel)
            connection.execute(statements.APPEND, said)
            if not connection.changes():
                return False
            connection.execute(statements.HEARD, heard)
            return True

        return self._database.write(apply)

    def begin(self, conversation: str, channel: str) -> None:
        self._database.write(lambda c: self._know(c, conversation, channel))

    def _know(self, connection: apsw.Connection, key: str, channel: str) -> None:
        """Have a conversation. In a new one nobody answers whose contact opted out of one that was erased."""
        now = self._clock()
        about = {"key": key, "channel": channel, "now": now, **ConversationKey.read(key)._asdict()}
        connection.execute(statements.KNOW_CONVERSATION, about)
        if connection.changes():
            opt_out = {"key": key, "digest": opt_out_digest(key), "reason": OPTED_OUT_BEFORE, "now": now}
            connection.execute(statements.HEED_OPT_OUT, opt_out)

    def quarantine(self, message: InboundMessage) -> None:
        self._mark(message, in_quarantine=1)

    def restore(self, message: InboundMessage) -> None:
        self._mark(message, in_quarantine=0)

    def describe(self, message_id: str, text: str) -> None:
        bindings = (text, *MessageId.read(message_id))
        self._database.write(lambda c: _run(c, statements.DESCRIBE, bindings))

    def unanswered(self, conversation: str) -> Sequence[Utterance]:
        return _utterances(self._database.read(lambda c: _unanswered(c, conversation)))

    def _mark(self, message: InboundMessage, *, in_quarantine: int) -> None:
        bindings = (in_quarantine, message.account, message.external_id)
        self._database.write(lambda c: _run(c, statements.QUARANTINE, bindings))

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
            about: Any = connection.execute(statements.ABOUT, (hold.conversation,)).fetchone()
            if about is None:
                raise HoldLost(hold.conversation)
            history: Any = connection.execute(
                statements.HISTORY, {"key": hold.conversation, "limit": history_limit}
            ).fetchall()
            return Turn(
                channel=about[0],
                history=[Utterance._make(row) for row in reversed(history)],
                unanswered=_utterances(rows),
                metadata=decoded(about[1]),
                mode=about[2],
            )

        return self._database.read(apply)

    def answer(
        self,
        hold: Hold,
        turn: Turn,
        *bodies: str,
        kind: ReplyKind,
        content: Content = NOTHING_ELSE,
        usage: Usage | None = None,
        metadata: Mapping[str, Any] | None = None,
        hand_over: str | None = None,
    ) -> Reply:
        now, key = self._clock(), hold.conversation
        state: ReplyState = "cancelled" if kind == "silence" else "pending"
        replies = [(uuid.uuid4().hex, body) for body in bodies]
        shown = {utterance.message_id for utterance in turn.unanswered}
        kept = None if metadata is None else json.dumps(dict(metadata), ensure_ascii=False)

        def apply(connection: apsw.Connection) -> Reply:
            fence: Any = connection.execute(statements.FENCE, (key,)).fetchone()
            if fence is None or fence[0] != hold.fence:
                raise HoldLost(key)
            # What came in since the turn was read is not answered by this.
            answered = [row for row in _unanswered(connection, key) if row[3] in shown]
            received_at = min((row[2] for row in answered), default=now)
            for reply_id, body in replies:
                connection.execute(
                    statements.WRITE_REPLY, (reply_id, key, body, kind, state, received_at, now)
                )
            first = replies[0][0]
            if content != NOTHING_ELSE or usage is not None:
                paid = (
                    (None, None, None) if usage is None else (usage.model, usage.input_tokens, usage.tokens)
                )
                connection.execute(statements.COMPLETE_REPLY, (str(content) or None, *paid, first))
            connection.execute(statements.MARK_ANSWERED, (first, json.dumps([row[0] for row in answered])))
            connection.execute(statements.TOUCH, (now, key))
            if kept is not None:
                connection.execute(statements.SET_METADATA, (kept, key))
            if hand_over is not None:
                to_person = {"mode": "person", "reason": hand_over, "now": now, "key": key, "opts_in": False}
                connection.execute(statements.SET_MODE, to_person)
            return _reply(connection, first)  # type: ignore[return-value]  # it was just written

        return self._database.write(apply)

    def set_mode(self, conversation: str, mode: Mode, reason: str, *, opts_in: bool = False) -> bool:
        bindings = {"mode": mode, "reason": reason, "key": conversation, "opts_in": opts_in}

        def apply(connection: apsw.Connection) -> bool:
            connection.execute(statements.SET_MODE, {**bindings, "now": self._clock()})
            is_changed = bool(connection.changes())
            if opts_in:
                connection.execute(statements.FORGET_OPT_OUT, (opt_out_digest(conversation),))
            return is_changed

        return self._database.write(apply)

    def write(
        self,
        conversation: str,
        reply_id: str,
        text: str,
        *,
        kind: ReplyKind,
        written_by: str | None = None,
        answers: str | None = None,
        content: Content = NOTHING_ELSE,
    ) -> Reply | None:
        now = self._clock()
        answered = MessageId.read(answers or "")
        bindings = {
            "reply_id": reply_id,
            "key": conversation,
            "body": text,
            "kind": kind,
            "state": "cancelled" if kind == "silence" else "pending",
            "now": now,
            "written_by": written_by,
            "content": str(content) or None,
            "account": answered.account,
            "id": answered.external_id,
        }

        def apply(connection: apsw.Connection) -> Reply | None:
            connection.execute(statements.WRITE, bindings)
            if connection.changes():
                connection.execute(statements.ANSWERED_BY, (reply_id, *answered))
                connection.execute(statements.TOUCH, (now, conversation))
                if written_by is not None:
                    connection.execute(statements.TAKE_PART, (now, conversation))
            return _reply(connection, reply_id)

        return self._database.write(apply)

    def hand_back(self, conversation: str, *, silent_since: int) -> bool:
        def apply(connection: apsw.Connection) -> bool:
            connection.execute(statements.HAND_BACK, (conversation, silent_since))
            return bool(connection.changes())

        return self._database.write(apply)

    def answers_since(self, conversation: str, since: int) -> tuple[int, int]:
        answers, tokens = self._read_one(statements.ANSWERS_SINCE, (conversation, since))
        return answers, tokens

    def mode(self, conversation: str) -> Mode:
        row = self._read_one(statements.MODE, (conversation,))
        mode: Mode = "assistant" if row is None else row[0]
        return mode

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
        reply = None if row is None else _to_reply(row)
        return reply if reply is not None and reply.state == "pending" else None

    def begin_sending(
        self, reply_id: str, *, attempt: int | None = None, void: Sequence[int] = ()
    ) -> Reply | None:
        began_at = self._clock() if attempt is None else attempt

        def apply(connection: apsw.Connection) -> Reply | None:
            connection.execute(statements.BEGIN_SENDING, (began_at, reply_id, json.dumps(list(void))))
            return _reply(connection, reply_id) if connection.changes() else None

        return self._database.write(apply)

    def record_sent(self, reply_id: str, external_id: str, *, segments: int | None = None) -> None:
        sent = {"reply_id": reply_id, "sid": external_id, "now": self._clock(), "segments": segments}
        self._database.write(lambda c: _run(c, statements.SENT, sent))

    def record_not_sent(self, reply_id: str, error: str, *, final: bool) -> None:
        self._record(reply_id, "failed" if final else "pending", error)

    def record_unknown(self, reply_id: str, error: str) -> None:
        self._record(reply_id, "unknown", error)

    def _record(self, reply_id: str, state: ReplyState, error: str) -> None:
        self._database.write(lambda c: _run(c, statements.NOT_SENT[state], (error, reply_id)))

    def record_cancelled(self, reply_id: str, why: str) -> None:
        self._record(reply_id, "cancelled", why)

    def record_delivery(self, reply_id: str, status: DeliveryStatus) -> bool:
        sent = {"reply_id": reply_id, "sid": status.external_id, "now": self._clock(), "segments": None}

        def apply(connection: apsw.Connection) -> bool:
            row: Any = connection.execute(statements.DELIVERY_STATE, (reply_id,)).fetchone()
            if row is None:
                return False
            state, sid, rank, times_sent_again = row
            if times_sent_again and sid is not None and (sid == status.external_id) != (state in ACCEPTED):
                return False  # of the sending before, which is of no interest any more
            if state not in ACCEPTED:
                # A callback names the reply, so the reply was sent, whatever its state says.
                connection.execute(statements.SENT, sent)
                rank = None
            if rank is not None and status.rank <= rank:
                return False
            if status.is_failure:
                connection.execute(statements.UNDELIVERED, (reply_id,))
            elif state == "undelivered":  # it did arrive, after all
                connection.execute(statements.SENT, sent)
            connection.execute(statements.DELIVERY, (status.status, status.rank, status.error, reply_id))
            return True

        return self._database.write(apply)

    def decide(self, reply_id: str, state: DecidedState, *, by: str) -> Reply | None:
        bindings = {"reply_id": reply_id, "by": by, "now": self._clock()}

        def apply(connection: apsw.Connection) -> Reply | None:
            connection.execute(statements.DECIDED[state], bindings)
            return _reply(connection, reply_id) if connection.changes() else None

        return self._database.write(apply)

    def dismiss(self, entry_id: str, *, by: str) -> bool:
        def apply(connection: apsw.Connection) -> bool:
            connection.execute(statements.DISMISS_REPLY, (by, entry_id))
            if not connection.changes():
                connection.execute(statements.DISMISS_MESSAGE, (by, *MessageId.read(entry_id)))
            return bool(connection.changes())

        return self._database.write(apply)

    def pace(self, sender: str, *, interval_ms: float) -> int:
        turn = {"sender": sender, "interval": interval_ms, "now": self._clock()}
        wait_ms: float = self._write_one(statements.PACE, turn)[0]
        return math.ceil(wait_ms)

    def reply(self, reply_id: str) -> Reply | None:
        row = self._read_one(statements.REPLY, (reply_id,))
        return None if row is None else _to_reply(row)

    def is_known(self, external_id: str) -> bool:
        return self._read_one(statements.IS_KNOWN, (external_id,)) is not None

    def text_of(self, account: str, external_id: str) -> str | None:
        row = self._read_one(statements.TEXT_OF, {"account": account, "id": external_id})
        return None if row is None else str(row[0])

    def check(self, *, timeout_s: float) -> None:
        self._database.check(at_ms=self._clock(), timeout_s=timeout_s)

    def close(self) -> None:
        self._database.close()

    def _read_one(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda c: c.execute(statement, bindings).fetchone())

    def _write_one(self, statement: str, bindings: Any) -> Any:
        return self._database.write(lambda c: c.execute(statement, bindings).fetchone())


def _unanswered(connection: apsw.Connection, conversation: str) -> Any:
    return connection.execute(statements.UNANSWERED, (conversation,)).fetchall()


def _utterances(rows: Sequence[Any]) -> Sequence[Utterance]:
    return [Utterance("contact", *row[1:]) for row in rows]


def _reply(connection: apsw.Connection, reply_id: str) -> Reply | None:
    row: Any = connection.execute(statements.REPLY, (reply_id,)).fetchone()
    return None if row is None else _to_reply(row)


def _to_reply(row: tuple[Any, ...]) -> Reply:
    *fields, content, times_sent_again, heard_at = row
    return Reply._make((*fields, Content.read(content), times_sent_again, heard_at))


def _run(connection: apsw.Connection, statement: str, bindings: Any) -> None:
    connection.execute(statement, bindings)
