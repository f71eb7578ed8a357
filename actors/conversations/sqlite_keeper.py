"""Exports and erases conversations in a SQLite file, and deletes old ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import apsw

from brokers.sqlite.storage import Database, rewrite

from ..keys import opt_out_digest
from . import keeper_statements as statements
from .keeper import Deleted, KeptConversation, KeptMessage, KeptReply

#: How many rows one transaction looks at and deletes: it takes some milliseconds, for which others wait.
STEP = 200


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
        return [key for (key,) in self._read(statements.KEYS, (contact,))]

    def kept(self, conversation: str) -> KeptConversation | None:
        def apply(connection: apsw.Connection) -> KeptConversation | None:
            about: Any = connection.execute(statements.CONVERSATION, (conversation,)).fetchone()
            if about is None:
                return None
            messages: Any = connection.execute(statements.MESSAGES, (conversation,)).fetchall()
            replies: Any = connection.execute(statements.REPLIES, (conversation,)).fetchall()
            said = [KeptMessage._make((*row[:-1], bool(row[-1]))) for row in messages]
            return KeptConversation._make((*about, said, [KeptReply._make(row) for row in replies]))

        return self._database.read(apply)

    def erase(self, conversation: str) -> Deleted:
        counts = [0, 0]
        for place, statement in enumerate((statements.ERASE_MESSAGES, statements.ERASE_REPLIES)):
            while deleted := self._run(statement, (conversation, STEP)):
                counts[place] += deleted
        opt_out = {"digest": opt_out_digest(conversation), "now": self._clock(), "key": conversation}

        def apply(connection: apsw.Connection) -> int:
            for statement in (statements.ERASE_MESSAGES, statements.ERASE_REPLIES):  # what came in since
                connection.execute(statement, (conversation, -1))
            connection.execute(statements.REMEMBER_OPT_OUT, opt_out)
            connection.execute(statements.ERASE_CONVERSATION, (conversation,))
            return connection.changes()

        return Deleted(self._database.write(apply), *counts)

    def begin_housekeeping(self, *, every_ms: int) -> bool:
        return bool(self._run(statements.BEGIN_HOUSEKEEPING, {"now": self._clock(), "every": every_ms}))

    def delete_old(self) -> Iterator[Deleted]:
        before = self._clock() - self._retention_ms
        # Messages first: an answered one without its reply would stand after all others.
        for count in self._delete_in_steps(statements.OLD_MESSAGES, statements.DELETE_OLD_MESSAGES, before):
            yield Deleted(messages=count)
        for count in self._delete_in_steps(statements.OLD_REPLIES, statements.DELETE_OLD_REPLIES, before):
            yield Deleted(replies=count)
        for count in self._delete_empty(before):
            yield Deleted(conversations=count)

    def leave_no_trace(self) -> Sequence[str]:
        return rewrite(self._database)

    def _delete_in_steps(self, find: str, delete: str, before: int) -> Iterator[int]:
        after = 0
        while page := self._read(find, {"after": after, "before": before, "limit": STEP}):
            ids = [number for number, _, is_old in page if is_old]
            yield self._run(delete, {"ids": json.dumps(ids), "before": before}) if ids else 0
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
            yield self._run(statements.DELETE_EMPTY_CONVERSATIONS, bindings)
            self._run(statements.CLEAR_METADATA, {"keys": bindings["keys"]})
            last_at, key = page[-1]

    def _read(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda connection: connection.execute(statement, bindings).fetchall())

    def _run(self, statement: str, bindings: Any) -> int:
        """Run a statement; return how many rows it changed."""

        def apply(connection: apsw.Connection) -> int:
            connection.execute(statement, bindings)
            return connection.changes()

        return self._database.write(apply)
