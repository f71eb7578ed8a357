"""Conversations in a SQLite file."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from brokers.clock import now_ms
from brokers.sqlite.storage import Database

from ..channels.channel import InboundMessage
from ..conversation import Mode
from ..keys import ConversationKey, MessageId, contact_digest, opt_out_digest
from ..reply import NOTHING_ELSE, Content, Reply, ReplyKind
from . import reply_statements, schema, statements, words
from .keeper import OPTED_OUT_BEFORE
from .search import folded
from .sqlite_delivery_checks import SQLiteDeliveryChecks
from .sqlite_keeper import SQLiteConversationKeeper
from .sqlite_notices import SQLiteNoticeStore
from .sqlite_reader import SQLiteConversationReader
from .sqlite_replies import SQLiteReplies, reply_of
from .sqlite_search import SQLiteConversationFinder
from .sqlite_shared_calls import SQLiteSharedCalls
from .sqlite_turns import SQLiteTurns, hold_of
from .sqlite_usage import SQLiteUsageReader
from .turn import Hold

#: Which share of the disk's reserve is kept free of what contacts write: the queue needs it to settle that.
RESERVE_SHARE = 0.5

#: By how much the clock is set back at least, in milliseconds, before turns to send go on from now.
CLOCK_TOLERANCE_MS = 1_000


class SQLiteConversationStore(SQLiteTurns, SQLiteReplies):
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
        self._database = Database(path, schema.SCHEMA)
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
    def usage(self) -> SQLiteUsageReader:
        """What was used."""
        return SQLiteUsageReader(self._database, retention_ms=self._retention_ms, clock=self._clock)

    @property
    def shared_calls(self) -> SQLiteSharedCalls:
        """The calls of the model that all workers share."""
        return SQLiteSharedCalls(self._database, self._clock)

    @property
    def delivery_checks(self) -> SQLiteDeliveryChecks:
        """The sent replies that the channel is asked about."""
        return SQLiteDeliveryChecks(self._database, self._clock, reply=self.reply)

    @property
    def keeper(self) -> SQLiteConversationKeeper:
        """Exports, erases, and deletes what is old."""
        return SQLiteConversationKeeper(self._database, retention_ms=self._retention_ms, clock=self._clock)

    @property
    def search(self) -> SQLiteConversationFinder:
        """Finds contacts and texts."""
        return SQLiteConversationFinder(self._database)

    # -- what comes in ------------------------------------------------------------------------------

    def append(self, message: InboundMessage, *, received_at: int) -> bool:
        return self._database.write(self._appending(message, received_at))

    def append_and_hold(
        self, message: InboundMessage, *, received_at: int, holder: str
    ) -> tuple[bool, Hold | None]:
        append = self._appending(message, received_at)
        return self._database.write(lambda c: (append(c), hold_of(c, message.conversation, holder)))

    def _appending(self, message: InboundMessage, received_at: int) -> Callable[[apsw.Connection], bool]:
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
            "sender": message.contact.address,
            "name": message.contact.name,
            "called": None if message.contact.name is None else folded(message.contact.name),
        }

        def apply(connection: apsw.Connection) -> bool:
            self._know(connection, key, message.channel)
            connection.execute(statements.APPEND, said)
            if not connection.changes():
                return False
            connection.execute(statements.HEARD, heard)
            return True

        return apply

    def known_as(self, message: InboundMessage) -> str:
        contact = message.contact
        named = (message.account, message.address, contact.id or "")
        row = self._read_one(statements.KNOWN_AS, named)
        if row is not None:
            return str(row[0])

        def apply(connection: apsw.Connection) -> str:
            known: Any = connection.execute(statements.KNOWN_AS, named).fetchone()
            if known is not None:
                return str(known[0])
            key = message.conversation
            self._know(connection, key, message.channel)
            connection.execute(statements.IDENTIFY, (contact.id, key))
            if connection.changes():
                self._heed_opt_out(connection, key, contact_digest(*named))
            return contact.address

        return self._database.write(apply)

    def begin(self, conversation: str, channel: str) -> None:
        self._database.write(lambda c: self._know(c, conversation, channel))

    def _know(self, connection: apsw.Connection, key: str, channel: str) -> None:
        """Have a conversation. In a new one nobody answers whose contact opted out of one that was erased."""
        now = self._clock()
        about = {"key": key, "channel": channel, "now": now, **ConversationKey.read(key)._asdict()}
        connection.execute(statements.KNOW_CONVERSATION, about)
        if connection.changes():
            self._heed_opt_out(connection, key, opt_out_digest(key))

    def _heed_opt_out(self, connection: apsw.Connection, key: str, digest: str) -> None:
        opt_out = {"key": key, "digest": digest, "reason": OPTED_OUT_BEFORE, "now": self._clock()}
        connection.execute(statements.HEED_OPT_OUT, opt_out)

    def quarantine(self, message: InboundMessage) -> None:
        self._mark(message, in_quarantine=1)

    def restore(self, message: InboundMessage) -> None:
        self._mark(message, in_quarantine=0)

    def describe(self, message_id: str, text: str) -> None:
        named = MessageId.read(message_id)

        def apply(connection: apsw.Connection) -> None:
            before: Any = connection.execute(statements.DESCRIBED, named).fetchall()
            words.forget(connection, "messages", before)
            connection.execute(statements.DESCRIBE, (text, *named))
            words.add(connection, "messages", [(number, text) for number, _ in before])

        self._database.write(apply)

    def _mark(self, message: InboundMessage, *, in_quarantine: int) -> None:
        bindings = (in_quarantine, message.account, message.external_id)
        self._write(statements.QUARANTINE, bindings)

    # -- who answers, and what is written outside of a turn ---------------------------------------------

    def set_mode(self, conversation: str, mode: Mode, reason: str, *, opts_in: bool = False) -> bool:
        bindings = {"mode": mode, "reason": reason, "key": conversation, "opts_in": opts_in}

        def apply(connection: apsw.Connection) -> bool:
            connection.execute(statements.SET_MODE, {**bindings, "now": self._clock()})
            is_changed = bool(connection.changes())
            if opts_in:
                connection.execute(statements.FORGET_OPT_OUT, (opt_out_digest(conversation),))
                for named in connection.execute(statements.CONTACT_ID, (conversation,)).fetchall():
                    connection.execute(statements.FORGET_OPT_OUT, (contact_digest(*map(str, named)),))
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
            connection.execute(reply_statements.WRITE, bindings)
            if connection.changes():
                connection.execute(reply_statements.ANSWERED_BY, (reply_id, *answered))
                connection.execute(statements.TOUCH, (now, conversation))
                if written_by is not None:
                    connection.execute(statements.TAKE_PART, (now, conversation))
            return reply_of(connection, reply_id)

        return self._database.write(apply)

    def hand_back(self, conversation: str, *, silent_since: int, reason: str | None = None) -> bool:
        bindings = {"key": conversation, "since": silent_since, "reason": reason}

        def apply(connection: apsw.Connection) -> bool:
            connection.execute(statements.HAND_BACK, bindings)
            return bool(connection.changes())

        return self._database.write(apply)

    def answers_since(self, conversation: str, since: int) -> tuple[int, int]:
        answers, tokens = self._read_one(statements.ANSWERS_SINCE, (conversation, since))
        return answers, tokens

    def mode(self, conversation: str) -> Mode:
        row = self._read_one(statements.MODE, (conversation,))
        mode: Mode = "assistant" if row is None else row[0]
        return mode

    # -- what people do ------------------------------------------------------------------------------

    def dismiss(self, entry_id: str, *, by: str) -> bool:
        def apply(connection: apsw.Connection) -> bool:
            connection.execute(statements.DISMISS_REPLY, (by, entry_id))
            if not connection.changes():
                connection.execute(statements.DISMISS_MESSAGE, (by, *MessageId.read(entry_id)))
            return bool(connection.changes())

        return self._database.write(apply)

    def see(self, conversation: str) -> None:
        self._write(statements.SEE, (conversation,))

    def add_note(self, conversation: str, note_id: str, text: str, *, by: str) -> bool:
        note = {"note_id": note_id, "text": text, "by": by, "now": self._clock(), "key": conversation}

        def apply(connection: apsw.Connection) -> bool:
            connection.execute(statements.ADD_NOTE, note)
            return connection.execute(statements.MODE, (conversation,)).fetchone() is not None

        return self._database.write(apply)

    def delete_note(self, conversation: str, note_id: str) -> bool:
        def apply(connection: apsw.Connection) -> bool:
            connection.execute(statements.DELETE_NOTE, (conversation, note_id))
            return bool(connection.changes())

        return self._database.write(apply)

    def pace(self, sender: str, *, interval_ms: float) -> int:
        now, tolerance = self._clock(), CLOCK_TOLERANCE_MS
        turn = {"sender": sender, "interval": interval_ms, "now": now, "tolerance": tolerance}
        wait_ms: float = self._write_one(statements.PACE, turn)[0]
        return math.ceil(wait_ms)

    def text_of(self, account: str, external_id: str) -> str | None:
        row = self._read_one(statements.TEXT_OF, {"account": account, "id": external_id})
        return None if row is None else str(row[0])

    def check(self, *, timeout_s: float) -> None:
        self._database.check(at_ms=self._clock(), timeout_s=timeout_s)

    def close(self) -> None:
        self._database.close()

    def _write_one(self, statement: str, bindings: Any) -> Any:
        return self._database.write(lambda c: c.execute(statement, bindings).fetchone())

    def _write(self, statement: str, bindings: Any) -> None:
        def apply(connection: apsw.Connection) -> None:
            connection.execute(statement, bindings)

        self._database.write(apply)
