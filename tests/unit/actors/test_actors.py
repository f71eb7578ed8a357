"""The actors, with crashes between any two of their steps.

A crash is played by calling an actor again in the state it left, after what it enqueued last was lost.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dramatiq.errors import Retry

from actors.ai import ResponderRefused
from actors.conversations import Reply
from actors.deliveries import (
    ReplyUnknown,
    give_up_on_reply,
    reconcile_reply,
    record_delivery_status,
    send_reply,
)
from actors.replies import MAX_BODY, apologise, process_ai_response
from actors.sender import NotSentEver, NotSentYet, PerhapsSent
from tests.support.conversations import CONVERSATION, answered, held, inbound

from .conftest import World


def write(world: World, text: str) -> dict[str, object]:
    """A contact writes, and the message is processed."""
    payload = dict(inbound(text).payload)
    process_ai_response(payload)
    return payload


def reply_state(world: World, reply: Reply) -> str:
    now = world.conversations.reply(reply.reply_id)
    assert now is not None
    return now.state


# -- from a message to a reply -------------------------------------------------------------------------


def test_a_message_is_answered_and_its_reply_enqueued(world: World) -> None:
    write(world, "Oi")

    reply = world.conversations.next_to_send(CONVERSATION)
    assert reply is not None
    assert reply.body == "answer to Oi"
    assert world.enqueued == ["send_reply"]


def test_what_comes_in_meanwhile_is_answered_too(world: World) -> None:
    def meanwhile() -> None:
        world.responder.meanwhile = lambda: None
        write(world, "Alô?")  # another worker: it finds the conversation held, and is done

    # Called directly, every message would be the same holder; the queue's messages differ.
    holders = iter(["message-1", "message-2"])
    world.responder.meanwhile = meanwhile
    with pytest.MonkeyPatch.context() as patch:
        hold = world.services.conversations.hold
        patch.setattr(
            world.services.conversations,
            "hold",
            lambda conversation, _holder, **_: hold(conversation, next(holders), is_live=lambda _: True),
        )
        write(world, "Oi")

    assert world.responder.asked == [["Oi"], ["Alô?"]]


def test_a_crash_before_the_sending_was_enqueued(world: World) -> None:
    payload = write(world, "Oi")
    world.forget_enqueued()

    process_ai_response(payload)

    assert world.enqueued == ["send_reply"]
    assert world.responder.asked == [["Oi"]], "the reply was written: no need to ask again"


def test_an_answer_longer_than_twilio_takes_is_cut_at_a_word(world: World) -> None:
    write(world, "palavra " * 300)

    reply = world.conversations.next_to_send(CONVERSATION)
    assert reply is not None
    assert len(reply.body) <= MAX_BODY
    assert reply.body.endswith("palavra…")


def failed_for_good(world: World, text: str) -> dict[str, object]:
    """The queue message of a contact's message that nothing could be answered to."""
    world.responder.error = ResponderRefused("no")
    payload = dict(inbound(text).payload)
    with pytest.raises(ResponderRefused):
        process_ai_response(payload)
    return {"args": [payload]}


def test_the_fallback_is_said_once_whatever_crashes(make_world: Callable[..., World]) -> None:
    world = make_world(reply_fallback_text="Desculpe.")
    message = failed_for_good(world, "Oi")

    apologise(message, {})
    world.forget_enqueued()
    apologise(message, {})

    assert world.enqueued == ["send_reply"]
    first = world.conversations.next_to_send(CONVERSATION)
    assert first is not None
    assert (first.body, first.kind) == ("Desculpe.", "fallback")
    world.conversations.begin_sending(first.reply_id)
    world.conversations.record_sent(first.reply_id, "SM1")
    assert world.conversations.next_to_send(CONVERSATION) is None


def test_without_a_fallback_text_nothing_is_said(world: World) -> None:
    apologise(failed_for_good(world, "Oi"), {})

    assert world.enqueued == []


def test_what_comes_in_during_the_apology_is_not_forgotten(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own message finds the conversation held and is done: whoever holds has to look again."""
    world = make_world(reply_fallback_text="Desculpe.")
    message = failed_for_good(world, "Oi")
    store = world.conversations
    answer = store.answer

    def answer_while_another_comes_in(*args: object, **kwargs: object) -> Reply:
        monkeypatch.setattr(store, "answer", answer)
        store.append(inbound("Alô?"))
        return answer(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(store, "answer", answer_while_another_comes_in)
    apologise(message, {})

    assert store.turn(held(store), history_limit=0).unanswered == []


# -- from a reply to its delivery ----------------------------------------------------------------------


def test_a_reply_is_sent_and_the_next_is_enqueued(world: World) -> None:
    first = answered(world.conversations, body="A")
    answered(world.conversations, body="B")

    send_reply(first.reply_id)

    assert world.sender.sent == ["A"]
    assert reply_state(world, first) == "sent"
    assert world.enqueued == ["send_reply"]


def test_a_crash_after_the_reply_was_sent(world: World) -> None:
    first = answered(world.conversations, body="A")
    answered(world.conversations, body="B")
    send_reply(first.reply_id)
    world.forget_enqueued()

    send_reply(first.reply_id)

    assert world.sender.sent == ["A"]
    assert world.enqueued == ["send_reply"], "the next reply has to go out"


def test_a_crash_while_sending_leads_to_a_look(world: World) -> None:
    reply = answered(world.conversations)
    world.conversations.begin_sending(reply.reply_id)

    send_reply(reply.reply_id)

    assert world.sender.sent == []
    assert reply_state(world, reply) == "unknown"
    assert world.enqueued == ["reconcile_reply"]


def test_a_crash_before_the_look_was_enqueued(world: World) -> None:
    reply = answered(world.conversations)
    world.sender.error = PerhapsSent("no answer")
    send_reply(reply.reply_id)
    assert world.enqueued == ["reconcile_reply"]
    world.forget_enqueued()

    send_reply(reply.reply_id)

    assert world.enqueued == ["reconcile_reply"], "else nobody would ever look"


def test_a_reply_not_sent_yet_is_tried_again(world: World) -> None:
    reply = answered(world.conversations)
    world.sender.error = NotSentYet("busy", delay_ms=2_000)

    with pytest.raises(Retry) as raised:
        send_reply(reply.reply_id)

    assert raised.value.delay == 2_000
    assert reply_state(world, reply) == "pending"


def test_a_reply_that_is_given_up_lets_the_next_go_whatever_crashes(world: World) -> None:
    first = answered(world.conversations, body="A")
    answered(world.conversations, body="B")

    give_up_on_reply({"args": [first.reply_id]}, {})
    assert reply_state(world, first) == "failed"
    assert world.enqueued == ["send_reply"]
    world.forget_enqueued()
    give_up_on_reply({"args": [first.reply_id]}, {})

    assert world.enqueued == ["send_reply"]


def test_a_refused_reply_lets_the_next_go(world: World) -> None:
    first = answered(world.conversations, body="A")
    answered(world.conversations, body="B")
    world.sender.error = NotSentEver("no such number")

    with pytest.raises(NotSentEver):
        send_reply(first.reply_id)

    assert reply_state(world, first) == "failed"
    assert world.enqueued == ["send_reply"]


# -- finding out ---------------------------------------------------------------------------------------


def unknown(world: World) -> Reply:
    """A reply of which nobody knows whether it was sent."""
    reply = answered(world.conversations)
    world.sender.error = PerhapsSent("no answer")
    send_reply(reply.reply_id)
    world.sender.error = None
    world.forget_enqueued()
    return reply


def test_a_reply_that_is_found_was_sent(world: World) -> None:
    reply = unknown(world)
    world.sender.found = "SM1"

    reconcile_reply(reply.reply_id)

    assert reply_state(world, reply) == "sent"
    assert world.sender.sent == []


def test_a_reply_that_is_not_found_is_looked_for_again(world: World) -> None:
    reply = unknown(world)

    with pytest.raises(Retry) as raised:
        reconcile_reply(reply.reply_id)
    assert raised.value.delay == 15_000
    assert reply_state(world, reply) == "unknown"


def test_a_reply_that_stays_unknown_is_for_a_person_to_decide(make_world: Callable[..., World]) -> None:
    world = make_world(reply_reconcile_delays_s="1")
    reply = unknown(world)

    with pytest.raises(ReplyUnknown, match=reply.reply_id):
        reconcile_reply(reply.reply_id)
    assert world.enqueued == []


def test_a_reply_to_be_sent_again_is_enqueued_whatever_crashes(make_world: Callable[..., World]) -> None:
    world = make_world(reply_reconcile_delays_s="1", reply_unknown_policy="resend")
    reply = unknown(world)

    reconcile_reply(reply.reply_id)
    assert reply_state(world, reply) == "pending"
    assert world.enqueued == ["send_reply"]
    world.forget_enqueued()
    reconcile_reply(reply.reply_id)

    assert world.enqueued == ["send_reply"]


def test_a_second_sending_that_is_unknown_is_looked_for_although_the_first_look_is_not_acknowledged(
    make_world: Callable[..., World],
) -> None:
    """Acknowledgements are written a moment later, and a message's id is taken until then."""
    world = make_world(reply_reconcile_delays_s="1", reply_unknown_policy="resend")
    reply = answered(world.conversations)
    world.sender.error = PerhapsSent("no answer")
    send_reply(reply.reply_id)  # its look stays in the queue: claimed, run, not yet acknowledged

    reconcile_reply(reply.reply_id)
    send_reply(reply.reply_id)

    assert world.enqueued.count("reconcile_reply") == 2


def test_a_status_that_names_a_reply_settles_it(world: World) -> None:
    reply = unknown(world)

    record_delivery_status({"MessageSid": "SM1", "MessageStatus": "delivered"}, reply.reply_id)
    reconcile_reply(reply.reply_id)

    assert reply_state(world, reply) == "sent"
