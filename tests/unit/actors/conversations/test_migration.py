"""A file of an earlier Recado is opened by this one."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from actors.conversations import SQLiteConversationStore, statements
from brokers.sqlite.storage import Database, Schema
from tests.support.conversations import CONVERSATION, inbound


def test_conversations_of_before_are_listed_by_when_something_was_last_said(tmp_path: Path) -> None:
    first, other = inbound("um"), inbound("dois", contact="whatsapp:+5511900005678")
    path = tmp_path / "conversations.db"
    with closing(Database(path, Schema("conversations", statements.SCHEMA.steps[:1]))) as database:
        for message, received_at in ((first, 3_000), (other, 2_000)):
            payload = json.dumps(dict(message.payload))
            key, account_sid = message.conversation, message.account_sid
            about = (key, account_sid, message.contact, message.address, 1_000)
            body = (key, account_sid, message.message_sid, message.body, payload, received_at)
            database.write(lambda c, about=about: c.execute(statements.KNOW_CONVERSATION, about))  # type: ignore[misc]
            database.write(lambda c, body=body: c.execute(statements.APPEND, body))  # type: ignore[misc]

    with closing(SQLiteConversationStore(path)) as store:
        listed = store.conversations()

        assert [(summary.contact, summary.last_at) for summary in listed] == [
            (first.contact, 3_000),
            (other.contact, 2_000),
        ]
        assert [entry.text for entry in store.thread(CONVERSATION)] == ["um"]
