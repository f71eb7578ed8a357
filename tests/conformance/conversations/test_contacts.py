"""A contact whose address changes is one contact, as far as the channel tells by an id whose it is."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import pytest

from actors.channels import InboundMessage
from actors.conversations import ConversationStore
from actors.conversations.keeper import OPTED_OUT_BEFORE
from actors.conversations.reader import Listed
from actors.conversations.search import ContactQuery
from actors.reply import Reply
from tests.support.conversations import (
    ACCOUNT,
    ADDRESS,
    CONTACT,
    CONVERSATION,
    always,
    append,
    inbound,
    waiting,
)

#: The address of a WhatsApp user whose number is not shown, and the id of the same user.
ID = "BR.13491208655302741918"
HIDDEN = f"whatsapp:{ID}"

OTHER = "+15005550007"


def said(store: ConversationStore, text: str, *, contact: str, contact_id: str = ID) -> InboundMessage:
    """Append a message, as the actors do."""
    message = inbound(text, contact=contact, ExternalUserId=contact_id)
    message = replace(message, known_as=store.known_as(message))
    append(store, message)
    return message


def reply_to(store: ConversationStore, conversation: str) -> Reply:
    """Answer what waits; return the answer."""
    hold = store.hold(conversation, "message-1", is_live=always)
    assert hold is not None
    reply = store.answer(hold, store.turn(hold, history_limit=20), "Olá!", kind="answer").reply
    store.release(hold)
    return reply


def test_a_number_that_is_hidden_from_now_on_stays_in_its_conversation(store: ConversationStore) -> None:
    said(store, "Oi", contact=CONTACT)
    hidden = said(store, "Sou eu", contact=HIDDEN)

    assert hidden.conversation == CONVERSATION
    assert [each.text for each in waiting(store)] == ["Oi", "Sou eu"]
    assert [each.contact for each in store.reader.conversations()] == [CONTACT]


def test_a_number_that_is_shown_from_now_on_stays_in_its_conversation(store: ConversationStore) -> None:
    first = said(store, "Oi", contact=HIDDEN)

    assert said(store, "Sou eu", contact=CONTACT).conversation == first.conversation


def test_an_answer_goes_to_the_address_that_the_contact_wrote_from_last(store: ConversationStore) -> None:
    for contact in (CONTACT, HIDDEN, CONTACT):
        said(store, "Oi", contact=contact)
        assert reply_to(store, CONVERSATION).contact == contact


@pytest.mark.parametrize("part", ["whatsapp:", ID, CONTACT])
def test_a_contact_is_found_by_either_address(store: ConversationStore, part: str) -> None:
    said(store, "Oi", contact=CONTACT)
    said(store, "Sou eu", contact=HIDDEN)
    reply_id = reply_to(store, CONVERSATION).reply_id
    store.begin_sending(reply_id, attempt=1, void=[])
    store.record_not_sent(reply_id, "no", final=True)
    append(store, inbound("Oi", contact=OTHER))

    lists: tuple[Listed | None, ...] = (None, "undelivered")
    found = [store.reader.conversations(contact=part, listed=which) for which in lists]
    found.append(store.search.contacts(ContactQuery(numbers=[part]), limit=9))
    assert [[each.conversation for each in page] for page in found] == [[CONVERSATION]] * 3


def test_a_late_message_does_not_lead_answers_to_an_address_of_before(store: ConversationStore) -> None:
    said(store, "Sou eu", contact=CONTACT)
    said(store, "Oi", contact=HIDDEN)
    late = inbound("Oi?", ExternalUserId=ID)
    store.append(replace(late, known_as=store.known_as(late)), received_at=1)

    assert reply_to(store, CONVERSATION).contact == HIDDEN


def test_two_contacts_are_two(store: ConversationStore) -> None:
    other = said(store, "Oi", contact="whatsapp:BR.2", contact_id="BR.2")

    assert said(store, "Oi", contact=CONTACT).conversation == CONVERSATION != other.conversation


def test_a_conversation_of_before_ids_were_told_is_gone_on_with(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    said(store, "Tudo bem?", contact=CONTACT)

    assert said(store, "Sou eu", contact=HIDDEN).conversation == CONVERSATION


def test_a_number_that_went_to_somebody_else_is_that_persons(store: ConversationStore) -> None:
    said(store, "Oi", contact=CONTACT)
    said(store, "Oi", contact=CONTACT, contact_id="BR.2")

    assert said(store, "Sou eu", contact=HIDDEN).conversation == CONVERSATION
    assert said(store, "Oi", contact="whatsapp:BR.2", contact_id="BR.2").conversation != CONVERSATION


def test_all_names_of_a_contact_are_found_exported_and_erased(store: ConversationStore) -> None:
    said(store, "Oi", contact=CONTACT)
    said(store, "Sou eu", contact=HIDDEN)

    assert list(store.keeper.keys(ID)) == [CONVERSATION]
    assert list(store.keeper.other_names(CONVERSATION)) == [HIDDEN, ID]
    kept = store.keeper.kept(CONVERSATION)
    assert kept is not None
    assert (kept.contact_id, kept.writes_from) == (ID, HIDDEN)
    store.keeper.erase(CONVERSATION)

    assert list(store.keeper.keys(ID)) == []
    assert said(store, "Oi", contact=HIDDEN).conversation == f"{ACCOUNT}|{ADDRESS}|{HIDDEN}"


def test_an_opt_out_outlives_its_conversation_whatever_the_address(store: ConversationStore) -> None:
    said(store, "PARAR", contact=CONTACT)
    store.set_mode(CONVERSATION, "nobody", "opted out")
    store.keeper.erase(CONVERSATION)

    hidden = said(store, "Oi", contact=HIDDEN).conversation

    assert [each.mode_reason for each in store.reader.conversations()] == [OPTED_OUT_BEFORE]
    store.set_mode(hidden, "assistant", "", opts_in=True)
    store.keeper.erase(hidden)
    said(store, "Oi", contact=HIDDEN)
    assert [each.mode for each in store.reader.conversations()] == ["assistant"]


def test_an_opt_out_of_what_was_erased_holds_at_any_address_and_so_does_an_opt_in(
    store: ConversationStore,
) -> None:
    """Where conversations are spread over several stores, these addresses are in all of them."""
    for number in range(8):
        addresses = [f"whatsapp:+551190000{number}{place:03d}" for place in range(3)]
        first, second, third = (
            partial(said, store, "Oi", contact=each, contact_id=f"BR.{number}") for each in addresses
        )
        out = first().conversation
        store.set_mode(out, "nobody", "opted out")
        store.keeper.erase(out)

        again = second().conversation
        assert store.mode(again) == "nobody"
        assert store.set_mode(again, "assistant", "opted in", opts_in=True)
        store.keeper.erase(again)
        assert store.mode(third().conversation) == "assistant"
