"""Conversations in a SQLite file, for people to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from brokers.sqlite.storage import Database

from ..conversation import Mode
from ..keys import MessageId
from ..reply import Content
from . import statements
from .reader import Attention, OwnAddress, PageStart, Summary, ThreadEntry

#: Later than any time that a column can have.
_BEGINNING = PageStart(2**63 - 1, "")


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
        return [
            ThreadEntry._make((*fields, Content.read(content), bool(aside)))
            for *fields, content, aside in reversed(rows)
        ]

    def conversations(
        self,
        *,
        contact: str | None = None,
        mode: Mode | None = None,
        limit: int = 50,
        offset: int = 0,
        after: PageStart | None = None,
    ) -> Sequence[Summary]:
        until, key = after or _BEGINNING
        bindings = {"contact": contact, "limit": limit, "offset": offset, "until": until, "key": key}
        return [Summary._make(row) for row in self._read(statements.CONVERSATIONS[mode], bindings)]

    def summary(self, conversation: str) -> Summary | None:
        rows = self._read(statements.SUMMARY, (conversation,))
        return Summary._make(rows[0]) if rows else None

    def conversation_of(self, message_id: str) -> str | None:
        named = MessageId.read(message_id)
        rows = self._read(statements.CONVERSATION_OF, {"account": named.account, "id": named.external_id})
        return str(rows[0][0]) if rows else None

    def attention(self, *, limit: int = 50) -> Sequence[Attention]:
        return [Attention._make(row) for row in self._read(statements.ATTENTION, {"limit": limit})]

    def addresses(self) -> Sequence[OwnAddress]:
        return [OwnAddress._make(row) for row in self._read(statements.ADDRESSES, ())]

    def payloads(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        names = [list(MessageId.read(message_id)) for message_id in message_ids]
        return dict(self._read(statements.PAYLOADS, (json.dumps(names),))) if names else {}

    def _read(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda connection: connection.execute(statement, bindings).fetchall())
