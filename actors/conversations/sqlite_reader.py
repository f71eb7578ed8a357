"""Conversations in a SQLite file, for people to read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from brokers.sqlite.storage import Database

from ..conversation import Mode
from ..keys import MessageId
from ..model_call import read_tool_calls
from ..reply import Content
from . import reader_statements
from .reader import (
    Attention,
    ContactFacts,
    KeptCall,
    Listed,
    Note,
    OwnAddress,
    PageStart,
    Summary,
    ThreadEntry,
)

#: Later than any time that a column can have.
BEGINNING = PageStart(2**63 - 1, "")


class SQLiteConversationReader:
    """A `ConversationReader` of a SQLite file.

    Parameters:
      database: the file that a `SQLiteConversationStore` keeps.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def thread(self, conversation: str, *, limit: int | None = None) -> Sequence[ThreadEntry]:
        bindings = {"key": conversation, "limit": -1 if limit is None else limit}
        rows = self._read(reader_statements.THREAD, bindings)
        return [
            ThreadEntry._make((*fields, Content.read(content), model, bool(aside)))
            for *fields, content, model, aside in reversed(rows)
        ]

    def conversations(
        self,
        *,
        contact: str | None = None,
        mode: Mode | None = None,
        listed: Listed | None = None,
        limit: int = 50,
        offset: int = 0,
        after: PageStart | None = None,
    ) -> Sequence[Summary]:
        until, key = after or BEGINNING
        bindings = {"contact": contact, "limit": limit, "offset": offset, "until": until, "key": key}
        return [
            to_summary(row) for row in self._read(reader_statements.CONVERSATIONS[listed or mode], bindings)
        ]

    def summary(self, conversation: str) -> Summary | None:
        rows = self._read(reader_statements.SUMMARY, (conversation,))
        return to_summary(rows[0]) if rows else None

    def facts(self, conversation: str) -> ContactFacts | None:
        rows = self._read(reader_statements.ABOUT_CONTACT, {"key": conversation})
        notes = [Note._make(row) for row in self._read(reader_statements.NOTES, (conversation,))]
        return ContactFacts._make((*rows[0], notes)) if rows else None

    def conversation_of(self, message_id: str) -> str | None:
        named = MessageId.read(message_id)
        rows = self._read(
            reader_statements.CONVERSATION_OF, {"account": named.account, "id": named.external_id}
        )
        return str(rows[0][0]) if rows else None

    def attention(self, *, limit: int = 50) -> Sequence[Attention]:
        return [Attention._make(row) for row in self._read(reader_statements.ATTENTION, {"limit": limit})]

    def model_call(self, reply_id: str) -> KeptCall | None:
        rows = self._read(reader_statements.MODEL_CALL, (reply_id,))
        return KeptCall._make((*rows[0][:-1], read_tool_calls(rows[0][-1]))) if rows else None

    def addresses(self) -> Sequence[OwnAddress]:
        return [OwnAddress._make(row) for row in self._read(reader_statements.ADDRESSES, ())]

    def payloads(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        names = [list(MessageId.read(message_id)) for message_id in message_ids]
        return dict(self._read(reader_statements.PAYLOADS, (json.dumps(names),))) if names else {}

    def _read(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda connection: connection.execute(statement, bindings).fetchall())


def to_summary(row: Sequence[Any]) -> Summary:
    """Read a conversation of a list."""
    *fields, is_unread = row
    return Summary._make((*fields, bool(is_unread)))
