"""What people find in a store, and what operators note in it."""

from __future__ import annotations

import itertools
from contextlib import closing

import pytest

from actors.conversations import ConversationStore
from actors.conversations.reader import PageStart
from actors.conversations.search import ContactQuery
from tests.support.conversations import CONTACT, CONVERSATION, OpenStore, answered, append, held, inbound

OTHER = "whatsapp:+5511900005678"


def texts(store: ConversationStore, wanted: str) -> list[str]:
    return [each.text for each in store.search.texts(wanted, limit=50).texts]


def contacts(store: ConversationStore, **query: object) -> list[str]:
    found = store.search.contacts(ContactQuery(**query), limit=50)  # type: ignore[arg-type]
    return [summary.contact for summary in found]


def listed(store: ConversationStore, which: str) -> list[str]:
    return [each.contact for each in store.reader.conversations(listed=which)]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wanted", ["pedido", "PÉDIDO", "pedidos não", "pedi", "nao", "pedidos-não", '"pedidos"', "pedidos, não!"]
)
def test_texts_are_found_by_their_words_whatever_the_accents(store: ConversationStore, wanted: str) -> None:
    append(store, inbound("Meus PEDIDOS não chegaram"))
    append(store, inbound("Obrigada!", contact=OTHER))

    assert texts(store, wanted) == ["Meus PEDIDOS não chegaram"]


@pytest.mark.parametrize("wanted", ["ped", "edidos", "pedidos obrigada", "", "  ", "*", '"', "não'", "AND"])
def test_other_words_find_nothing(store: ConversationStore, wanted: str) -> None:
    append(store, inbound("Meus pedidos chegaram"))
    append(store, inbound("Obrigada!", contact=OTHER))

    assert texts(store, wanted) == []


def test_what_contacts_and_the_shop_said_is_found_newest_first(store: ConversationStore) -> None:
    answered(store, "Quanto custa a entrega?", body="A entrega custa R$ 8,00.")
    append(store, inbound("E a entrega amanhã?", contact=OTHER))

    found = store.search.texts("entrega", limit=50).texts

    assert {(each.author, each.text) for each in found} == {
        ("contact", "Quanto custa a entrega?"),
        ("us", "A entrega custa R$ 8,00."),
        ("contact", "E a entrega amanhã?"),
    }
    assert [each.at for each in found] == sorted((each.at for each in found), reverse=True)
    for each in found:
        assert store.reader.conversation_of(each.message_id) == each.conversation


def test_pages_of_texts_have_each_text_once(store: ConversationStore) -> None:
    for number in range(5):
        answered(store, f"Oi {number}", body=f"Oi, {number}!")
    first = store.search.texts("oi", limit=4)
    second = store.search.texts("oi", limit=4, after=first.next_place)
    third = store.search.texts("oi", limit=4, after=second.next_place)

    assert third.next_place is None
    found = [each.text for page in (first, second, third) for each in page.texts]
    assert sorted(found) == sorted(
        f(number) for number in range(5) for f in ("Oi {}".format, "Oi, {}!".format)
    )


def test_a_text_that_was_described_is_found_by_what_it_says_now(store: ConversationStore) -> None:
    message = inbound("[voice note]")
    append(store, message)
    assert texts(store, "voice") == ["[voice note]"]

    store.describe(message.message_id, "Quero trocar")

    assert texts(store, "voice") == []
    assert texts(store, "trocar") == ["Quero trocar"]


def test_a_person_who_was_erased_is_not_found(store: ConversationStore) -> None:
    answered(store, "Meu segredo", body="Guardo o segredo")
    append(store, inbound("Outro segredo", contact=OTHER))
    assert len(texts(store, "segredo")) == 3

    store.keeper.erase(CONVERSATION)

    assert texts(store, "segredo") == ["Outro segredo"]
    append(store, inbound("Um segredo novo"))  # its number may be that of one before
    assert sorted(texts(store, "segredo")) == ["Outro segredo", "Um segredo novo"]
    assert contacts(store, numbers=["0000-1234", "900001234"]) == [CONTACT]


def test_contacts_are_found_by_name_and_by_any_spelling_of_a_number(store: ConversationStore) -> None:
    append(store, inbound("Oi", ProfileName="João Conceição"))
    append(store, inbound("Oi", contact=OTHER, ProfileName="Bia"))

    assert contacts(store, name="joao") == [CONTACT]
    assert contacts(store, name="conceicao") == [CONTACT]
    assert contacts(store, numbers=["551190000567", "5678"]) == [OTHER]
    assert contacts(store, name="bia", numbers=["00001234"]) == [OTHER, CONTACT]
    assert contacts(store, name="", numbers=[]) == []


def test_pages_of_contacts_have_each_once(store: ConversationStore) -> None:
    for number in range(5):
        append(store, inbound("Oi", contact=f"whatsapp:+551190000100{number}", ProfileName="Bia"))
    found, after = list[str](), None
    while page := store.search.contacts(ContactQuery("bia"), limit=2, after=after):
        found += [each.contact for each in page]
        after = PageStart(page[-1].last_at, page[-1].conversation)

    assert len(found) == len(set(found)) == 5


def test_what_no_operator_has_seen_is_unread(store: ConversationStore) -> None:
    append(store, inbound("um"))
    append(store, inbound("dois", contact=OTHER))
    assert listed(store, "unread") == [OTHER, CONTACT]

    store.see(CONVERSATION)
    assert listed(store, "unread") == [OTHER]

    append(store, inbound("três"))
    assert listed(store, "unread") == [CONTACT, OTHER]
    summary = store.reader.summary(CONVERSATION)
    assert summary is not None
    assert summary.is_unread


def test_a_contact_who_wrote_last_where_a_person_answers_waits(store: ConversationStore) -> None:
    for contact in (CONTACT, OTHER):
        append(store, inbound("Alguém?", contact=contact))
    assert listed(store, "waiting") == []

    store.set_mode(CONVERSATION, "person", "asks")
    assert listed(store, "waiting") == [CONTACT]

    store.write(CONVERSATION, "r1", "Sim!", kind="person", written_by="Ana")
    store.answer(
        hold := held(store), store.turn(hold, history_limit=1), "", kind="silence"
    )  # recorded, and no model asked
    assert listed(store, "waiting") == [CONTACT]

    store.write(CONVERSATION, "r2", "Pode falar.", kind="person", written_by="Ana")
    assert listed(store, "waiting") == []


def test_conversations_with_a_reply_that_did_not_get_through_are_listed(store: ConversationStore) -> None:
    reply = answered(store)
    append(store, inbound("Oi", contact=OTHER))
    assert listed(store, "undelivered") == []

    store.record_not_sent(reply.reply_id, "no", final=True)
    assert listed(store, "undelivered") == [CONTACT]

    store.dismiss(reply.reply_id, by="Ana")
    assert listed(store, "undelivered") == []


def test_notes_are_kept_once_exported_and_erased(open_store: OpenStore) -> None:
    times = itertools.count(1_700_000_000_000)
    with closing(open_store(clock=lambda: next(times))) as store:
        append(store, inbound())
        assert store.add_note(CONVERSATION, "n1", "Prefere falar à tarde.", by="Ana")
        assert store.add_note(CONVERSATION, "n1", "Prefere falar à tarde.", by="Ana")
        assert store.add_note(CONVERSATION, "n2", "Tem um cachorro.", by="Bia")
        assert not store.add_note("AC1|+1|+2", "n3", "Ninguém.", by="Ana")

        facts, kept = store.reader.facts(CONVERSATION), store.keeper.kept(CONVERSATION)
        assert facts is not None
        assert kept is not None
        noted = [(note.note_id, note.text, note.written_by) for note in facts.notes]
        assert noted == [("n1", "Prefere falar à tarde.", "Ana"), ("n2", "Tem um cachorro.", "Bia")]
        assert list(kept.notes) == list(facts.notes)
        assert (facts.messages, facts.replies) == (1, 0)

        assert store.delete_note(CONVERSATION, "n1")
        assert not store.delete_note(CONVERSATION, "n1"), "it is gone"
        assert not store.delete_note("AC1|+1|+2", "n2"), "it is about another contact"
        facts = store.reader.facts(CONVERSATION)
        assert facts is not None
        assert [note.note_id for note in facts.notes] == ["n2"]

        store.keeper.erase(CONVERSATION)
        append(store, inbound())
        facts = store.reader.facts(CONVERSATION)
        assert facts is not None
        assert list(facts.notes) == []
