"""Conversations in a SQLite file, for people to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from brokers.sqlite.storage import Database

from ..conversation import Mode
from ..keys import MessageId
from . import statements
from .reader import Summary, ThreadEntry


class SQLiteConversationReader:
    """A `ConversationReader` of a SQLite file.

    Parameters:
      database: the file that a `SQLiteConversationStore` keeps.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def thread(self, conversation: str, *, limit: int | None = None) -> Sequence[ThreadEntry]:
        bindings = {"key": conversation, "limit": -1 if limit is None else limit}
        rows = self._read(statements.THREAD, bindings)
        return [ThreadEntry._make((*fields, bool(aside))) for *fields, aside in reversed(rows)]

    def conversations(
        self, *, contact: str | None = None, mode: Mode | None = None, limit: int = 50, offset: int = 0
    ) -> Sequence[Summary]:
        bindings = {"contact": contact, "limit": limit, "offset": offset}
        return [Summary._make(row) for row in self._read(statements.CONVERSATIONS[mode], bindings)]

    def summary(self, conversation: str) -> Summary | None:
        rows = self._read(statements.SUMMARY, (conversation,))
        return Summary._make(rows[0]) if rows else None

    def conversation_of(self, message_id: str) -> str | None:
        rows = self._read(statements.CONVERSATION_OF, MessageId.read(message_id))
        return str(rows[0][0]) if rows else None

    def _read(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda connection: connection.execute(statement, bindings).fetchall())
