"""Attachments of a person's messages are exported and erased, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.conversations import SQLiteConversationStore
from actors.media import MediaFolder
from actors.privacy import Person
from actors.privacy.media_place import MediaPlace
from tests.support.conversations import CONTACT, append, inbound

OTHER = "whatsapp:+5511900009999"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLiteConversationStore]:
    with closing(SQLiteConversationStore(tmp_path / "conversations.db")) as store:
        yield store


def test_a_persons_attachments_are_erased_and_nobody_elses(
    tmp_path: Path, store: SQLiteConversationStore
) -> None:
    folder = MediaFolder(tmp_path / "media", retention_s=100_000)
    messages = [inbound("foto", contact=CONTACT), inbound("foto", contact=OTHER)]
    for message in messages:
        append(store, message)
        with folder.adding(message.message_id, 0) as (part, _):
            part.write_bytes(b"picture")
    place = MediaPlace(folder, store)
    person = Person.read(CONTACT)

    [exported] = place.export(person)
    assert exported["message_id"] == messages[0].message_id
    assert place.erase(person).counts == {"files": 1}
    assert place.erase(person).counts == {"files": 0}
    assert [folder.find(message.message_id, 0) is None for message in messages] == [True, False]
