"""A file of an earlier Recado is opened by this one."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pytest

from actors.conversations import SQLiteConversationStore, schema, statements
from actors.conversations.notices import NotedEvent
from brokers.sqlite.storage import Database, Schema
from tests.support.conversations import CONVERSATION, delivery, inbound

#: As the first version began a conversation.
BEGIN_CONVERSATION = """
INSERT INTO conversation (key, account_sid, contact, address, created_at) VALUES (?, ?, ?, ?, ?)
"""

#: As the second version wrote a reply of which Twilio had told.
WRITE_REPLY = """
INSERT INTO reply (reply_id, conversation, body, kind, state, received_at, written_at, sid, delivery_status)
VALUES (?, ?, 'Olá!', 'answer', 'sent', 1, 1, ?, ?)
"""


def test_conversations_of_before_are_listed_by_when_something_was_last_said(tmp_path: Path) -> None:
    first, other = inbound("um"), inbound("dois", contact="whatsapp:+5511900005678")
    path = tmp_path / "conversations.db"
    with closing(Database(path, Schema("conversations", schema.SCHEMA.steps[:1]))) as database:
        for message, received_at in ((first, 3_000), (other, 2_000)):
            payload = json.dumps(dict(message.payload))
            key, account_sid = message.conversation, message.account
            about = (key, account_sid, message.contact.address, message.address, 1_000)
            body = (key, account_sid, message.external_id, message.text, payload, received_at)
            database.write(lambda c, about=about: c.execute(BEGIN_CONVERSATION, about))  # type: ignore[misc]
            database.write(lambda c, body=body: c.execute(statements.APPEND, body))  # type: ignore[misc]

    with closing(SQLiteConversationStore(path)) as store:
        listed = store.reader.conversations()

        assert [(summary.contact, summary.last_at) for summary in listed] == [
            (first.contact.address, 3_000),
            (other.contact.address, 2_000),
        ]
        assert [entry.text for entry in store.reader.thread(CONVERSATION)] == ["um"]


@pytest.mark.parametrize(
    ("kept", "later", "moves"),
    [
        ("delivered", "sent", False),
        ("sent", "delivered", True),
        ("delivered", "read", True),
        (None, "queued", True),
    ],
)
def test_a_delivery_that_an_earlier_version_noted_moves_forward_only(
    tmp_path: Path, kept: str | None, later: str, moves: bool
) -> None:
    path = tmp_path / "conversations.db"
    message = inbound("um")
    about = (CONVERSATION, message.account, message.contact.address, message.address, 1_000)
    with closing(Database(path, Schema("conversations", schema.SCHEMA.steps[:2]))) as database:
        database.write(lambda c: c.execute(BEGIN_CONVERSATION, about))
        database.write(lambda c: c.execute(WRITE_REPLY, ("reply-1", CONVERSATION, "SM1", kept)))

    with closing(SQLiteConversationStore(path)) as store:
        assert store.record_delivery("reply-1", delivery(later)) is moves
        reply = store.reply("reply-1")

    assert reply is not None
    assert (reply.channel, reply.delivery_status) == ("twilio", later if moves else kept)


def test_a_file_of_the_fifth_version_begins_to_count(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    message = inbound("um")
    about = (CONVERSATION, message.account, message.contact.address, message.address, 1_000)
    with closing(Database(path, Schema("conversations", schema.SCHEMA.steps[:5]))) as database:
        database.write(lambda c: c.execute(BEGIN_CONVERSATION, about))
        database.write(lambda c: c.execute(WRITE_REPLY, ("reply-1", CONVERSATION, "SM1", "sent")))

    with closing(SQLiteConversationStore(path)) as store:
        store.record_delivery("reply-1", delivery("delivered"))
        assert store.usage.days(since=0, until=100_000) == [], "it was sent before anything was counted"
        assert [entry.model for entry in store.reader.thread(CONVERSATION)] == [None]
        assert store.keeper.erase(CONVERSATION).replies == 1


def test_a_file_of_the_fourth_version_can_keep_what_people_are_to_be_told(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    with closing(Database(path, Schema("conversations", schema.SCHEMA.steps[:4]))) as database:
        database.write(lambda c: c.execute("SELECT 1"))

    with closing(SQLiteConversationStore(path)) as store:
        store.notices.note(["1"], NotedEvent("e", 1_000, {"event": "no_answer"}), waits=False)
        taken = store.notices.take(
            "1", "a", now=2_000, ripe_at=1_000, is_quiet=False, until=3_000, expired_at=0
        )
    assert [event.event_id for event in taken.events] == ["e"]


def test_a_reply_that_the_sixth_version_sent_is_not_asked_about(tmp_path: Path) -> None:
    path = tmp_path / "conversations.db"
    message = inbound("um")
    about = (CONVERSATION, message.account, message.contact.address, message.address, 1_000)
    with closing(Database(path, Schema("conversations", schema.SCHEMA.steps[:6]))) as database:
        database.write(lambda c: c.execute(BEGIN_CONVERSATION, about))
        database.write(lambda c: c.execute(WRITE_REPLY, ("reply-1", CONVERSATION, "SM1", "sent")))

    with closing(SQLiteConversationStore(path, clock=lambda: 1_000_000)) as store:
        assert store.delivery_checks.take((900_000,)) is None
        assert store.record_delivery("reply-1", delivery("delivered"))
