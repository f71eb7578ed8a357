"""Exports and erases conversations in a SQLite file, and deletes old ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw

from brokers.sqlite.storage import Database, rewrite

from ..keys import contact_digest, opt_out_digest
from . import keeper_statements as statements
from . import usage_statements, words
from .keeper import Deleted, KeptConversation, KeptMessage, KeptReply, KeptUsage
from .reader import Note
from .reader_statements import NOTES
from .statements import CONTACT_ID, FORGET_OPT_OUT
from .usage import SUMS_KEPT_DAYS, Sums, day_of
from .words import Texts

#: How many rows one transaction looks at and deletes: it takes some milliseconds, for which others wait.
STEP = 200

#: What erases the texts of a conversation.
_ERASE: tuple[tuple[str, Texts], ...] = (
    (statements.ERASE_MESSAGES, "messages"),
    (statements.ERASE_REPLIES, "replies"),
)


class SQLiteConversationKeeper:
    """A `ConversationKeeper` of a SQLite file.

    Parameters:
      database: the file that a `SQLiteConversationStore` keeps.
      retention_ms: how long what is at rest is kept, in milliseconds.
      clock: milliseconds since the epoch.
    """

    def __init__(self, database: Database, *, retention_ms: int, clock: Callable[[], int]) -> None:
        self._database = database
        self._retention_ms = retention_ms
        self._clock = clock

    def keys(self, contact: str) -> Sequence[str]:
        return [key for (key,) in self._read(statements.KEYS, {"text": contact})]

    def other_names(self, conversation: str) -> Sequence[str]:
        rows = self._read(statements.OTHER_NAMES, (conversation,))
        return [name for row in rows for name in row if name is not None]

    def kept(self, conversation: str) -> KeptConversation | None:
        first_day = day_of(self._clock() - self._retention_ms)

        def apply(connection: apsw.Connection) -> KeptConversation | None:
            about: Any = connection.execute(statements.CONVERSATION, (conversation,)).fetchone()
            if about is None:
                return None
            messages: Any = connection.execute(statements.MESSAGES, (conversation,)).fetchall()
            replies: Any = connection.execute(statements.REPLIES, (conversation,)).fetchall()
            used: Any = connection.execute(statements.USED, (conversation, first_day)).fetchall()
            usage = [KeptUsage(day, Sums._make(sums)) for day, *sums in used]
            said = [KeptMessage._make((*row[:-1], bool(row[-1]))) for row in messages]
            notes = [Note._make(row) for row in connection.execute(NOTES, (conversation,)).fetchall()]
            wrote = [KeptReply._make(row) for row in replies]
            return KeptConversation._make((*about, usage, said, wrote, notes))

        return self._database.read(apply)

    def erase(self, conversation: str) -> Deleted:
        counts = [0, 0]
        for place, (statement, texts) in enumerate(_ERASE):
            while deleted := self._delete(statement, (conversation, STEP), texts):
                counts[place] += deleted
        opt_out = {"digest": opt_out_digest(conversation), "now": self._clock(), "key": conversation}

        def apply(connection: apsw.Connection) -> int:
            for statement, texts in _ERASE:  # what came in since
                _delete(connection, statement, (conversation, -1), texts)
            connection.execute(statements.ERASE_NOTES, (conversation,))
            connection.execute(statements.REMEMBER_OPT_OUT, opt_out)
            for named in connection.execute(CONTACT_ID, (conversation,)).fetchall():
                also = {**opt_out, "digest": contact_digest(*map(str, named))}
                connection.execute(statements.REMEMBER_OPT_OUT, also)
            connection.execute(statements.ERASE_CONVERSATION, (conversation,))
            return connection.changes()

        return Deleted(self._database.write(apply), *counts)

    def remember_opt_out(self, digest: str) -> None:
        self._run(statements.NOTE_OPT_OUT, {"digest": digest, "now": self._clock()})

    def forget_opt_out(self, digest: str) -> None:
        self._run(FORGET_OPT_OUT, (digest,))

    def begin_housekeeping(self, *, every_ms: int) -> bool:
        return bool(self._run(statements.BEGIN_HOUSEKEEPING, {"now": self._clock(), "every": every_ms}))

    def delete_old(self) -> Iterator[Deleted]:
        before = self._clock() - self._retention_ms
        # Messages first: an answered one without its reply would stand after all others.
        old = (statements.OLD_MESSAGES, statements.DELETE_OLD_MESSAGES)
        for count in self._delete_in_steps(*old, before, "messages"):
            yield Deleted(messages=count)
        old = (statements.OLD_REPLIES, statements.DELETE_OLD_REPLIES)
        for count in self._delete_in_steps(*old, before, "replies"):
            yield Deleted(replies=count)
        for count in self._delete_empty(before):
            yield Deleted(conversations=count)
        self._run(usage_statements.FORGET_CONTACT_DAYS, (day_of(before),))
        self._run(usage_statements.FORGET_DAYS, (day_of(self._clock()) - SUMS_KEPT_DAYS,))

    def leave_no_trace(self) -> Sequence[str]:
        return rewrite(self._database)

    def _delete_in_steps(self, find: str, delete: str, before: int, texts: Texts) -> Iterator[int]:
        after = 0
        while page := self._read(find, {"after": after, "before": before, "limit": STEP}):
            ids = [number for number, _, is_old in page if is_old]
            yield self._delete(delete, {"ids": json.dumps(ids), "before": before}, texts) if ids else 0
            after, latest_at, _ = page[-1]
            if latest_at >= before:
                return

    def _delete_empty(self, before: int) -> Iterator[int]:
        last_at, key = -1, ""
        while page := self._read(
            statements.SILENT_CONVERSATIONS,
            {"last_at": last_at, "key": key, "before": before, "limit": STEP},
        ):
            bindings = {"keys": json.dumps([each for _, each in page]), "before": before}
            self._run(statements.DELETE_NOTES_OF_EMPTY, bindings)
            yield self._run(statements.DELETE_EMPTY_CONVERSATIONS, bindings)
            self._run(statements.CLEAR_METADATA, {"keys": bindings["keys"]})
            last_at, key = page[-1]

    def _read(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda connection: connection.execute(statement, bindings).fetchall())

    def _delete(self, statement: str, bindings: Any, texts: Texts) -> int:
        """Delete texts with their words; return how many."""
        return self._database.write(lambda connection: _delete(connection, statement, bindings, texts))

    def _run(self, statement: str, bindings: Any) -> int:
        """Run a statement; return how many rows it changed."""

        def apply(connection: apsw.Connection) -> int:
            connection.execute(statement, bindings)
            return connection.changes()

        return self._database.write(apply)


def _delete(connection: apsw.Connection, statement: str, bindings: Any, texts: Texts) -> int:
    deleted: Any = connection.execute(statement, bindings).fetchall()
    words.forget(connection, texts, deleted)
    words.draw_back(connection)
    return len(deleted)
