"""A person is exported and erased in every place, by whatever name they are known there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from actors.conversations import SQLiteConversationStore
from actors.privacy import Person
from actors.privacy.conversations_place import ConversationsPlace
from actors.privacy.place import Place
from actors.privacy.queue_place import QueuePlace
from actors.privacy.report import erase, export
from actors.replies import inbound_message
from brokers.records import QueueMessage
from brokers.sqlite import SQLiteBackend
from tests.support.conversations import CONTACT, append, inbound

#: The same contact, once their number is hidden, and the channel's id of them.
HIDDEN, ID = "whatsapp:BR.13491208655302741918", "BR.13491208655302741918"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteConversationStore]:
    with closing(SQLiteConversationStore(tmp_path / "conversations.db")) as store:
        yield store


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[SQLiteBackend]:
    with closing(SQLiteBackend(tmp_path / "queue.db")) as queue:
        yield queue


def test_what_waits_under_another_name_of_theirs_is_found(
    store: SQLiteConversationStore, queue: SQLiteBackend
) -> None:
    for contact in (CONTACT, HIDDEN):
        message = inbound("Oi", contact=contact, ExternalUserId=ID)
        append(store, replace(message, known_as=store.known_as(message)))
    for contact in (HIDDEN, "whatsapp:BR.2"):
        waiting = inbound_message(dict(inbound("Sou eu", contact=contact).payload), "twilio")
        assert queue.enqueue(QueueMessage(contact, "messages", "process_ai_response", waiting.encode()))
    places: list[Place] = [QueuePlace(queue), ConversationsPlace(store)]
    person = Person.read(CONTACT)

    assert [each["message_id"] for each in export(person, places)["queue"]] == [HIDDEN]
    assert erase(person, places).erased["queue"].counts["messages"] == 1
    assert [each.message_id for each in queue.list("messages", "ready")] == ["whatsapp:BR.2"]
