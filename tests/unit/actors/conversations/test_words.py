"""The words of what was said: when they are put in, and that they go with their text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.conversations import SQLiteConversationStore, schema, statements, words
from actors.conversations.search import ContactQuery
from brokers.sqlite.storage import Database, Schema
from tests.support.conversations import CONVERSATION, answered, append, inbound

#: A word that stands in no page of an empty database.
SECRET = "xilofone"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "conversations.db"


@pytest.fixture
def store(path: Path) -> Iterator[SQLiteConversationStore]:
    with closing(SQLiteConversationStore(path)) as store:
        yield store


def count(store: SQLiteConversationStore, table: str) -> int:
    """How many texts an index has."""
    return len(store.database.read(lambda c: c.execute(f"SELECT id FROM {table}_docsize").fetchall()))


def test_a_message_is_stored_without_waiting_for_its_words(store: SQLiteConversationStore) -> None:
    append(store, inbound("Oi"))
    assert count(store, "message_words") == 0

    assert store.search.catch_up(within_s=10)

    assert count(store, "message_words") == 1


def test_many_texts_are_put_in_step_by_step(store: SQLiteConversationStore) -> None:
    for number in range(words.STEP + 1):
        append(store, inbound(f"Oi {number}"))

    assert not store.search.catch_up(within_s=0)  # one step, and no other
    assert count(store, "message_words") == words.STEP

    found = store.search.texts("oi", limit=1)
    assert found.texts[0].text == f"Oi {words.STEP}"
    assert found.bounds == ""


def test_a_search_says_what_is_not_searched_yet(
    store: SQLiteConversationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.conversations.sqlite_search.CATCH_UP_S", 0)
    for number in range(words.STEP + 3):
        append(store, inbound(f"Oi {number}"))

    found = store.search.texts("oi", limit=1)

    assert found.texts[0].text == f"Oi {words.STEP - 1}"
    assert found.bounds == "Up to 3 of the latest texts are not searched yet: their words are being put in."


def test_nothing_of_an_erased_text_is_left_in_the_file(store: SQLiteConversationStore, path: Path) -> None:
    answered(store, f"O meu {SECRET} quebrou", body=f"Que {SECRET}?")
    for number in range(50):
        append(store, inbound(f"Oi {number}", contact="whatsapp:+5511900005678"))
    assert len(store.search.texts(SECRET, limit=9).texts) == 2
    store.add_note(CONVERSATION, "n1", f"Toca {SECRET}", by="Ana")

    store.keeper.erase(CONVERSATION)
    assert list(store.keeper.leave_no_trace()) == []

    for file in filter(Path.is_file, path.parent.glob("conversations.db*")):
        assert SECRET.encode() not in file.read_bytes().lower(), file
    assert len(store.search.texts("oi", limit=99).texts) == 50


def test_words_go_with_texts_that_are_older_than_they_may_be(path: Path) -> None:
    now = 1_700_000_000_000
    with closing(SQLiteConversationStore(path, retention_s=60, clock=lambda: now)) as store:
        answered(store, f"O meu {SECRET} quebrou", body=f"Que {SECRET}?")
        [reply] = [entry for entry in store.reader.thread(CONVERSATION) if entry.author == "us"]
        store.begin_sending(str(reply.reply_id))
        store.record_sent(str(reply.reply_id), "SM1")
        assert store.search.catch_up(within_s=10)

        now += 120_000
        list(store.keeper.delete_old())

        assert count(store, "message_words") == count(store, "reply_words") == 0
        assert store.search.texts(SECRET, limit=9).texts == []


def test_a_file_of_an_earlier_version_can_be_searched(path: Path) -> None:
    with closing(Database(path, Schema("conversations", schema.SCHEMA.steps[:5]))) as database:
        about = (
            CONVERSATION,
            "AC1",
            "whatsapp:+5511900001234",
            "whatsapp:+15005550006",
            1,
            1,
            "JOÃO Conceição",
            1,
        )
        message = (CONVERSATION, "AC1", "SM1", "Não chegou", "{}", 1)
        database.write(
            lambda c: c.execute(
                "INSERT INTO conversation "
                "(key, account_sid, contact, address, created_at, last_at, name, heard_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                about,
            )
        )
        database.write(lambda c: c.execute(statements.APPEND, message))

    with closing(SQLiteConversationStore(path)) as store:
        assert [each.text for each in store.search.texts("nao", limit=9).texts] == ["Não chegou"]
        found = store.search.contacts(ContactQuery("joao conceicao"), limit=9)
        assert [(each.name, each.is_unread) for each in found] == [("JOÃO Conceição", False)]
