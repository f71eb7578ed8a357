"""Replies that are sent again, decided about by a person, paced, and written first."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors import people
from actors.answer import Answer
from actors.channels import NotSentEver, PerhapsSent
from actors.delivery_status import MOST_SENT_AGAIN, record_delivery_status
from actors.keys import ConversationKey
from actors.people import OptedOutContact, Undecidable
from actors.reconciling import decide_reply
from actors.reply import Content, Reply, Template
from actors.reply_queue import send_next_reply
from actors.sending import give_up_on_reply, send_reply
from tests.support.conversations import ACCOUNT, ADDRESS, CONVERSATION, answered, next_reply

from .conftest import World
from .test_actors import write

#: A contact who never wrote.
STRANGER = ConversationKey(ACCOUNT, ADDRESS, "whatsapp:+5511900009999")


@pytest.fixture
def world(make_world: Callable[..., World]) -> World:
    """Where nothing is too old: the webhooks of these tests came in long ago."""
    return make_world(message_max_age_ms=10**13)


def now(world: World, reply: Reply) -> Reply:
    found = world.conversations.reply(reply.reply_id)
    assert found is not None
    return found


def sent(world: World, body: str = "Olá!") -> Reply:
    """A reply that the channel accepted."""
    reply = answered(world.conversations, body=body)
    send_reply(reply.reply_id)
    world.forget_enqueued()
    return now(world, reply)


def not_delivered(reply: Reply, code: str) -> None:
    """The channel tells that it could not deliver a reply."""
    record_delivery_status(
        {"MessageSid": reply.external_id, "MessageStatus": "undelivered", "ErrorCode": code}, reply.reply_id
    )


# -- by rule ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["63018", "30022", "30001"])
def test_a_delivery_that_failed_for_what_passes_is_repeated_later(world: World, code: str) -> None:
    reply = sent(world)

    not_delivered(reply, code)

    assert now(world, reply).state == "pending"
    [waiting] = world.services.broker.backend.list("replies", "delayed")
    assert waiting.message_id == f"send-{reply.reply_id}"
    not_delivered(reply, code)
    assert len(world.services.broker.backend.list("replies", "delayed")) == 1, "the callback was repeated"
    send_reply(reply.reply_id)
    assert world.sender.sent == ["Olá!", "Olá!"]


def test_a_crash_before_the_sending_was_enqueued_loses_nothing(world: World) -> None:
    reply = sent(world)
    not_delivered(reply, "63018")
    world.forget_enqueued()

    not_delivered(reply, "63018")

    assert world.enqueued == ["send_reply"]


@pytest.mark.parametrize("code", ["30007", "30008", "63016", "", "not a number"])
def test_a_delivery_that_failed_for_good_waits_for_a_person(world: World, code: str) -> None:
    reply = sent(world)

    not_delivered(reply, code)

    assert now(world, reply).state == "undelivered"
    assert world.enqueued == []
    assert [each.entry_id for each in world.conversations.reader.attention()] == [reply.reply_id]


def test_a_reply_is_repeated_only_so_often(world: World) -> None:
    reply = sent(world)

    for _ in range(MOST_SENT_AGAIN + 1):
        not_delivered(now(world, reply), "63018")
        world.forget_enqueued()
        send_reply(reply.reply_id)

    assert now(world, reply).state == "undelivered"
    assert len(world.sender.sent) == 1 + MOST_SENT_AGAIN


def test_an_opt_out_is_no_failure_to_repeat(world: World) -> None:
    reply = sent(world)

    not_delivered(reply, "21610")

    assert world.conversations.mode(CONVERSATION) == "nobody"
    assert world.enqueued == []


# -- by hand ---------------------------------------------------------------------------------------------


def through(world: World) -> None:
    while any(each in {"send_reply", "say_by_hand", "decide_reply"} for each in world.enqueued):
        world.run_next("replies")


def test_a_person_has_a_reply_sent_again(world: World) -> None:
    reply = sent(world)
    not_delivered(reply, "30008")

    people.decide(reply.reply_id, "pending", by="Ana")
    people.decide(reply.reply_id, "pending", by="Ana")
    through(world)

    assert world.sender.sent == ["Olá!", "Olá!"]
    assert (now(world, reply).state, now(world, reply).written_by) == ("sent", "Ana")
    assert world.conversations.reader.attention() == []
    with pytest.raises(Undecidable, match="sent"):
        people.decide(reply.reply_id, "pending", by="Ana")


def test_it_is_sent_although_a_person_answers_by_now(world: World) -> None:
    reply = sent(world)
    not_delivered(reply, "30008")
    people.take_over(CONVERSATION, by="Ana")

    people.decide(reply.reply_id, "pending", by="Ana")
    through(world)

    assert world.sender.sent == ["Olá!", "Olá!"]


def test_what_was_withheld_may_be_sent_after_all(world: World) -> None:
    reply = answered(world.conversations, body="Olá!")
    people.take_over(CONVERSATION, by="Ana")
    send_reply(reply.reply_id)
    assert now(world, reply).state == "cancelled"

    people.decide(reply.reply_id, "pending", by="Ana")
    through(world)

    assert world.sender.sent == ["Olá!"]


def test_the_dead_letter_that_asked_for_it_is_gone(world: World) -> None:
    reply = answered(world.conversations)
    world.sender.error = NotSentEver("no")
    send_next_reply(CONVERSATION)
    with pytest.raises(NotSentEver):
        world.run_next("replies")
    assert world.state_of(f"send-{reply.reply_id}") == "dead"
    world.sender.error = None

    people.decide(reply.reply_id, "pending", by="Ana")
    through(world)

    assert world.sender.sent == [reply.body]
    assert world.state_of(f"send-{reply.reply_id}") is None


def test_a_crash_amid_the_decision_loses_nothing(world: World) -> None:
    reply = sent(world)
    not_delivered(reply, "30008")
    decide_reply(reply.reply_id, "pending", "Ana")
    world.forget_enqueued()

    decide_reply(reply.reply_id, "pending", "Ana")
    through(world)
    decide_reply(reply.reply_id, "pending", "Ana")

    assert world.sender.sent == ["Olá!", "Olá!"]
    assert world.enqueued == []


def test_an_unknown_reply_was_sent_a_person_knows(world: World) -> None:
    reply = answered(world.conversations)
    world.sender.error = PerhapsSent("no answer")
    send_reply(reply.reply_id)

    people.decide(reply.reply_id, "sent", by="Ana")
    through(world)

    assert now(world, reply).state == "sent"
    assert world.sender.sent == []


def test_nothing_is_sent_again_to_one_who_opted_out(world: World) -> None:
    reply = sent(world)
    not_delivered(reply, "30008")
    write(world, "PARAR")

    with pytest.raises(OptedOutContact):
        people.decide(reply.reply_id, "pending", by="Ana")


def test_a_reply_that_is_not_there_cannot_be_decided(world: World) -> None:
    with pytest.raises(Undecidable, match="no reply"):
        people.decide("nothing", "pending", by="Ana")


# -- pace ------------------------------------------------------------------------------------------------


def test_a_sender_takes_turns_in_the_queue(world: World) -> None:
    world.sender.pause_ms = 60_000
    first, second = answered(world.conversations, body="A"), answered(world.conversations, body="B")
    send_next_reply(CONVERSATION)

    world.run_next("replies")
    world.run_next("replies")

    assert world.sender.sent == ["A"]
    assert now(world, first).state == "sent"
    assert now(world, second).state == "pending", "no attempt was made of it"
    [waiting] = world.services.broker.backend.list("replies", "delayed")
    assert waiting.message_id == f"send-{second.reply_id}"


# -- first -----------------------------------------------------------------------------------------------


def test_the_shop_writes_first(world: World) -> None:
    people.write_first(STRANGER, "Seu pedido chegou", by="Ana", once="pedido-1")
    people.write_first(STRANGER, "Seu pedido chegou", by="Ana", once="pedido-1")
    through(world)

    assert world.sender.sent == ["Seu pedido chegou"]
    [summary] = world.conversations.reader.conversations()
    assert (summary.contact, summary.mode) == (STRANGER.contact, "assistant")


def test_a_template_goes_with_what_people_read(world: World) -> None:
    template = Template("HX1", {"1": "Bia"})
    reply_id = people.write_first(STRANGER, "Oi Bia", by="Ana", template=template)
    through(world)

    reply = world.conversations.reply(reply_id)
    assert reply is not None
    assert (reply.body, reply.content) == ("Oi Bia", Content(template=template))


def test_nobody_is_written_to_who_opted_out(world: World) -> None:
    write(world, "PARAR")

    with pytest.raises(OptedOutContact):
        people.write_first(ConversationKey.read(CONVERSATION), "Oi", by="Ana")


def test_a_text_is_needed(world: World) -> None:
    with pytest.raises(ValueError, match="empty"):
        people.write_first(STRANGER, " ", by="Ana")
    assert world.conversations.reader.conversations() == []
    assert world.enqueued == []


# -- what an answer carries --------------------------------------------------------------------------------


def test_an_answer_carries_media(world: World) -> None:
    world.responder.answer = Answer("Veja", media=["https://example.com/um.png"])

    write(world, "Oi")

    reply = next_reply(world.conversations, CONVERSATION)
    assert reply is not None
    assert (reply.body, reply.content) == ("Veja", Content(("https://example.com/um.png",)))


@pytest.mark.parametrize(("text", "shown"), [("Oi Bia", "Oi Bia"), ((), "[template HX1: Bia]")])
def test_an_answer_is_a_template(world: World, text: str | tuple[()], shown: str) -> None:
    world.responder.answer = Answer(text, template=Template("HX1", {"1": "Bia"}))

    write(world, "Oi")

    reply = next_reply(world.conversations, CONVERSATION)
    assert reply is not None
    assert (reply.body, reply.content.template) == (shown, Template("HX1", {"1": "Bia"}))
    assert reply.kind == "answer"


def test_a_reply_that_is_given_up_wants_attention(world: World) -> None:
    reply = answered(world.conversations)
    give_up_on_reply({"args": [reply.reply_id]}, {"retries": 8, "max_retries": 8})

    [entry] = world.conversations.reader.attention()
    assert (entry.entry_id, entry.state) == (reply.reply_id, "failed")
    assert world.conversations.dismiss(reply.reply_id, by="Ana")
    assert world.conversations.reader.attention() == []
