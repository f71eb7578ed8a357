"""What every conversation store promises of replies sent again, and of writing first."""

from __future__ import annotations

import pytest

from actors.conversations import ConversationStore
from actors.conversations.reader import OwnAddress
from actors.keys import ConversationKey
from actors.reply import Content, DecidedState, Template
from tests.support.conversations import (
    ACCOUNT,
    ADDRESS,
    CONVERSATION,
    answered,
    append,
    delivery,
    held,
    inbound,
    next_reply,
)

#: A contact who never wrote.
STRANGER = ConversationKey(ACCOUNT, ADDRESS, "whatsapp:+5511900009999")


def undelivered(store: ConversationStore) -> str:
    """A reply that the channel accepted and could not deliver."""
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_sent(reply_id, "SM1")
    assert store.record_delivery(reply_id, delivery("undelivered", code="30008"))
    return reply_id


def state_of(store: ConversationStore, reply_id: str) -> tuple[str, str | None, str | None]:
    reply = store.reply(reply_id)
    assert reply is not None
    return reply.state, reply.external_id, reply.delivery_status


def test_a_reply_that_did_not_arrive_is_undelivered(store: ConversationStore) -> None:
    reply_id = undelivered(store)

    assert state_of(store, reply_id) == ("undelivered", "SM1", "undelivered")
    assert next_reply(store, CONVERSATION) is None


def test_a_reply_that_is_read_after_all_was_sent(store: ConversationStore) -> None:
    reply_id = undelivered(store)

    assert store.record_delivery(reply_id, delivery("read"))
    assert state_of(store, reply_id) == ("sent", "SM1", "read")


def test_what_is_said_of_the_sending_before_changes_nothing(store: ConversationStore) -> None:
    reply_id = undelivered(store)
    store.record_not_sent(reply_id, "again", final=False)

    assert not store.record_delivery(reply_id, delivery("undelivered")), "a callback that was repeated"
    assert state_of(store, reply_id)[0] == "pending"
    store.begin_sending(reply_id)
    assert not store.record_delivery(reply_id, delivery("undelivered"))
    assert state_of(store, reply_id)[0] == "sending"
    store.record_sent(reply_id, "SM2")
    assert not store.record_delivery(reply_id, delivery("undelivered"))
    assert state_of(store, reply_id) == ("sent", "SM2", None)
    assert store.record_delivery(reply_id, delivery("delivered", sid="SM2"))
    assert state_of(store, reply_id) == ("sent", "SM2", "delivered")


def test_a_callback_of_the_new_sending_may_come_before_its_answer(store: ConversationStore) -> None:
    reply_id = undelivered(store)
    store.record_not_sent(reply_id, "again", final=False)
    store.begin_sending(reply_id)

    assert store.record_delivery(reply_id, delivery("queued", sid="SM2"))
    store.record_sent(reply_id, "SM2", segments=2)

    assert state_of(store, reply_id) == ("sent", "SM2", "queued")


def test_it_is_counted_how_often_a_reply_was_sent_again(store: ConversationStore) -> None:
    reply_id = undelivered(store)
    store.record_not_sent(reply_id, "again", final=False)
    store.begin_sending(reply_id)
    store.record_not_sent(reply_id, "not yet", final=False)

    reply = store.reply(reply_id)
    assert reply is not None
    assert reply.times_sent_again == 1, "a try that was refused is none"


def test_a_person_has_a_reply_sent_again(store: ConversationStore) -> None:
    reply = store.decide(undelivered(store), "pending", by="Ana")

    assert reply is not None
    assert (reply.state, reply.kind, reply.written_by, reply.error) == ("pending", "person", "Ana", None)
    assert next_reply(store, CONVERSATION) == reply
    assert store.decide(reply.reply_id, "pending", by="Ana") is None, "it is waiting to be sent"


@pytest.mark.parametrize(("state", "kept"), [("pending", "pending"), ("sent", "sent")])
def test_a_person_decides_about_an_unknown_reply(
    store: ConversationStore, state: DecidedState, kept: str
) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_unknown(reply_id, "perhaps")

    reply = store.decide(reply_id, state, by="Ana")
    assert reply is not None
    assert reply.state == kept


def test_what_was_sent_is_not_sent_again(store: ConversationStore) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_sent(reply_id, "SM1")

    assert store.decide(reply_id, "pending", by="Ana") is None
    assert state_of(store, reply_id)[0] == "sent"


def test_silence_is_never_sent(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    silence = store.answer(hold, store.turn(hold, history_limit=0), "", kind="silence").reply

    assert store.decide(silence.reply_id, "pending", by="Ana") is None


def test_what_a_reply_carries_is_kept(store: ConversationStore) -> None:
    content = Content(("https://example.com/cardapio.png",))
    append(store, inbound("Oi"))
    hold = held(store)
    reply = store.answer(
        hold, store.turn(hold, history_limit=0), "Veja", "e diga", kind="answer", content=content
    ).reply

    assert reply.content == content
    template = Content(template=Template("HX1", {"1": "amanhã às 10h"}))
    written = store.write(CONVERSATION, "r1", "Até amanhã", kind="person", content=template)
    assert written is not None
    assert written.content == template
    assert [entry.content for entry in store.reader.thread(CONVERSATION)] == [
        *(Content(), content, Content(), template)
    ]


def test_it_is_known_when_a_contact_last_wrote(store: ConversationStore) -> None:
    store.append(inbound("dois"), received_at=2_000)
    store.append(inbound("um"), received_at=1_000)

    reply = store.write(CONVERSATION, "r1", "Oi", kind="person")
    assert reply is not None
    assert reply.heard_at == 2_000


def test_the_name_that_a_contact_gave_last_is_known(store: ConversationStore) -> None:
    append(store, inbound("Oi", ProfileName="Bia"))
    append(store, inbound("Oi", ProfileName="Beatriz"))
    append(store, inbound("Oi", ProfileName=""))

    [summary] = store.reader.conversations()
    assert summary.name == "Beatriz"


def test_the_shop_writes_first(store: ConversationStore) -> None:
    store.begin(str(STRANGER), "twilio")
    store.begin(str(STRANGER), "twilio")
    reply = store.write(str(STRANGER), "r1", "Seu pedido chegou", kind="person", written_by="Ana")

    assert reply is not None
    assert (reply.contact, reply.heard_at) == (STRANGER.contact, None)
    assert next_reply(store, str(STRANGER)) == reply
    [summary] = store.reader.conversations()
    assert (summary.message_id, summary.author, summary.text) == ("reply.r1", "us", "Seu pedido chegou")
    assert store.reader.conversation_of(summary.message_id) == str(STRANGER)
    assert store.reader.summary(str(STRANGER)) == summary
    append(store, inbound("Obrigado", contact=STRANGER.contact))
    assert store.reader.conversation_of("reply.r1") == str(STRANGER)


def test_our_addresses_are_those_of_the_conversations(store: ConversationStore) -> None:
    assert store.reader.addresses() == []
    append(store, inbound("Oi"))
    store.begin(str(STRANGER), "twilio")

    assert store.reader.addresses() == [OwnAddress(ACCOUNT, ADDRESS, "twilio")]


def test_a_sender_takes_turns(store: ConversationStore) -> None:
    waits = [store.pace("AC|+15005550006", interval_ms=60_000) for _ in range(3)]

    assert waits[0] == 0
    assert 59_000 < waits[1] <= 60_000
    assert 119_000 < waits[2] <= 120_000
    assert store.pace("AC|whatsapp:+15005550006", interval_ms=60_000) == 0
