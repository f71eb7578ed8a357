"""The actors, with crashes between any two of their steps.

A crash is played by calling an actor again in the state it left, after what it enqueued last was lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from dramatiq import Message
from dramatiq.errors import Retry
from prometheus_client import REGISTRY

from actors.answer import Answer
from actors.channels import InvalidMessage, NotSentEver, NotSentYet, OptedOut, PerhapsSent
from actors.channels.twilio.inbound import read
from actors.channels.twilio.rest import MAX_CHARACTERS
from actors.conversations import Answered
from actors.delivery_status import record_delivery_status
from actors.keys import with_message_id
from actors.reconciling import ReplyUnknown, reconcile_reply
from actors.replies import apologise, process_ai_response
from actors.reply import Reply
from actors.responders import ResponderRefused
from actors.sending import give_up_on_reply, send_reply
from api.webhooks import inbound_message
from brokers.errors import EngineError
from tests.support.conversations import CONVERSATION, answered, append, held, inbound, next_reply
from tests.support.waiting import eventually

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

    reply = next_reply(world.conversations, CONVERSATION)
    assert reply is not None
    assert reply.body == "answer to Oi"
    assert world.enqueued == ["send_reply"]


def test_what_comes_in_meanwhile_is_answered_too(world: World) -> None:
    def meanwhile() -> None:
        world.responder.meanwhile = lambda: None
        write(world, "Alô?")  # another worker: it finds the conversation held, and is done

    # Called directly, every message would be the same holder; the queue's messages differ.
    holders = iter(["message-1", "message-2", "message-2"])
    world.responder.meanwhile = meanwhile
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("actors.replies._holder", lambda: next(holders))
        hold = world.services.conversations.hold
        patch.setattr(
            world.services.conversations,
            "hold",
            lambda conversation, holder, **_: hold(conversation, holder, is_live=lambda _: True),
        )
        write(world, "Oi")

    assert world.responder.asked == [["Oi"], ["Alô?"]]


def test_a_crash_before_the_sending_was_enqueued(world: World) -> None:
    payload = write(world, "Oi")
    world.forget_enqueued()

    process_ai_response(payload)

    assert world.enqueued == ["send_reply"]
    assert world.responder.asked == [["Oi"]], "the reply was written: no need to ask again"


def test_an_answer_longer_than_twilio_takes_is_split_at_a_word(world: World) -> None:
    write(world, "palavra " * 300)

    reply = next_reply(world.conversations, CONVERSATION)
    assert reply is not None
    assert len(reply.body) <= MAX_CHARACTERS
    assert reply.body.endswith("palavra")


def test_an_opt_out_is_left_to_twilio_and_remembered(world: World) -> None:
    payload = dict(inbound("STOP").payload) | {"OptOutType": "STOP"}

    process_ai_response(payload)
    apologise(process_ai_response.message(payload).asdict(), {})

    assert world.responder.asked == []
    assert world.enqueued == []
    assert world.conversations.mode(CONVERSATION) == "nobody"


def test_the_rest_of_a_burst_is_waited_for(make_world: Callable[..., World]) -> None:
    world = make_world(reply_gather_ms=250)
    first = webhook(world, "Oi").message_id

    world.run_next()
    assert (world.state_of(first), world.responder.asked) == ("delayed", []), "no thread waits"

    second = webhook(world, "Alô?").message_id
    assert world.run_next() == second
    assert world.state_of(second) is None, "the first one holds the conversation meanwhile"

    assert world.run_next() == first
    assert world.responder.asked == [["Oi", "Alô?"]]


def test_the_time_of_a_message_is_that_of_its_webhook(world: World) -> None:
    message = webhook(world, "Oi")

    world.run_next()

    reply = next_reply(world.conversations, CONVERSATION)
    assert reply is not None
    assert reply.received_at == message.message_timestamp


# -- messages that cannot be answered ------------------------------------------------------------------


def webhook(world: World, text: str) -> Message[Any]:
    """A webhook came in: its message is in the queue."""
    queue_message = inbound_message(dict(inbound(text).payload))
    world.services.broker.enqueue(queue_message)
    return queue_message


def failed_for_good(world: World, text: str) -> dict[str, Any]:
    """A message that nothing could be answered to, as `apologise` is given it."""
    world.responder.error = ResponderRefused("no")
    message = webhook(world, text)
    with pytest.raises(ResponderRefused):
        world.run_next()
    world.responder.error = None
    world.responder.asked.clear()
    return dict(message.asdict())


def test_the_fallback_is_said_once_whatever_crashes(make_world: Callable[..., World]) -> None:
    world = make_world(reply_fallback_text="Desculpe.")
    message = failed_for_good(world, "Oi")

    apologise(message, {})
    world.forget_enqueued()
    apologise(message, {})

    assert world.enqueued == ["send_reply"]
    first = next_reply(world.conversations, CONVERSATION)
    assert first is not None
    assert (first.body, first.kind) == ("Desculpe.", "fallback")
    world.conversations.begin_sending(first.reply_id)
    world.conversations.record_sent(first.reply_id, "SM1")
    assert next_reply(world.conversations, CONVERSATION) is None


def test_the_fallback_answers_all_that_is_unanswered(make_world: Callable[..., World]) -> None:
    world = make_world(reply_fallback_text="Desculpe.")
    message = failed_for_good(world, "Oi")
    append(world.conversations, inbound("Alô?"))

    apologise(message, {})

    assert list(world.conversations.unanswered(CONVERSATION)) == []
    assert world.enqueued == ["send_reply"]


def test_the_fallback_is_said_for_a_message_that_expired_before_it_was_ever_run(
    make_world: Callable[..., World],
) -> None:
    world = make_world(reply_fallback_text="Desculpe.")

    apologise(process_ai_response.message(dict(inbound("Oi").payload)).asdict(), {})

    reply = next_reply(world.conversations, CONVERSATION)
    assert reply is not None
    assert reply.body == "Desculpe."


def test_the_fallback_is_said_for_a_message_that_expired_while_it_gathered_a_burst(
    make_world: Callable[..., World],
) -> None:
    """It holds the conversation, and runs still: it is a dead letter only when that was passed on."""
    world = make_world(reply_gather_ms=1, reply_fallback_text="Desculpe.")
    message = webhook(world, "Oi")
    world.run_next()
    [expired] = world.services.broker.backend.dequeue("messages", limit=1, timeout_s=20)
    assert expired.message_id == message.message_id

    apologise(message.asdict(), {})

    reply = next_reply(world.conversations, CONVERSATION)
    assert reply is not None
    assert reply.body == "Desculpe."


def test_without_a_fallback_text_nothing_is_said(world: World) -> None:
    apologise(failed_for_good(world, "Oi"), {})

    assert world.enqueued == []


def test_a_message_that_failed_for_good_does_not_spoil_the_next(world: World) -> None:
    apologise(failed_for_good(world, "a forbidden word"), {})

    write(world, "Alô?")

    assert world.responder.asked == [["Alô?"]]


def test_a_replayed_message_is_answered(world: World) -> None:
    message = failed_for_good(world, "Oi")
    apologise(message, {})

    assert world.services.broker.replay(message["message_id"])
    world.run_next()

    assert world.responder.asked == [["Oi"]]


def test_a_repeated_webhook_does_not_revive_what_failed_for_good(world: World) -> None:
    message = failed_for_good(world, "Oi")
    apologise(message, {})

    process_ai_response(message["args"][0])

    assert world.responder.asked == []


def test_what_counted_on_a_message_that_failed_for_good_is_enqueued_again(world: World) -> None:
    """It was acknowledged when it found the conversation held."""
    counted_on = failed_for_good(world, "Oi")
    other = inbound("Alô?")
    append(world.conversations, other)

    apologise(counted_on, {})

    assert world.state_of(other.message_id) == "ready"
    assert world.state_of(counted_on["message_id"]) == "dead"
    assert world.run_next() == other.message_id
    assert world.responder.asked == [["Alô?"]]


def test_an_apology_waits_for_what_is_just_being_acknowledged(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enqueued at that moment, it would be there already, and gone with its acknowledgement."""
    monkeypatch.setattr("actors.snooze.SNOOZE_MS", 1)
    counted_on = failed_for_good(world, "Oi")
    other = webhook(world, "Alô?")
    append(world.conversations, read(other.args[0]))
    apology = apologise.message(counted_on, {})

    def meanwhile() -> None:
        world.services.broker.enqueue(apology)
        world.run_next()

    holder = held(world.conversations, "somebody-else")  # so that the other counts on it, and is done
    world.services.broker.enqueue(
        with_message_id(process_ai_response.message({}), "somebody-else"), delay=3_600_000
    )
    assert world.run_next(meanwhile=meanwhile) == other.message_id
    world.conversations.release(holder)

    eventually(lambda: world.state_of(other.message_id) is None)
    assert world.run_next() == apology.message_id
    assert world.state_of(other.message_id) == "ready"


def test_a_second_run_after_a_crash_has_the_queue_look_after_the_others(world: World) -> None:
    """They may have counted on the first run. Should this one never end, they are not forgotten."""
    other = inbound("Alô?")
    append(world.conversations, other)
    webhook(world, "Oi")
    states = []
    world.responder.meanwhile = lambda: states.append(world.state_of(other.message_id))

    world.run_next(crashes=1)

    assert states == ["ready"], "before the model is asked"
    assert world.responder.asked == [["Alô?", "Oi"]]


def test_a_first_run_leaves_the_others_to_those_who_have_them(world: World) -> None:
    other = inbound("Alô?")
    append(world.conversations, other)
    webhook(world, "Oi")

    world.run_next()

    assert world.state_of(other.message_id) is None


def test_what_comes_in_during_the_apology_is_not_forgotten(
    make_world: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own message finds the conversation held and is done: whoever holds has to look again."""
    world = make_world(reply_fallback_text="Desculpe.")
    message = failed_for_good(world, "Oi")
    store = world.conversations
    answer = store.answer

    def answer_while_another_comes_in(*args: object, **kwargs: object) -> Answered:
        monkeypatch.setattr(store, "answer", answer)
        append(store, inbound("Alô?"))
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


class InHand:
    """A message in hand, as far as it remembers something for its next delivery."""

    def __init__(self) -> None:
        self.options: dict[str, Any] = {}
        self.message_id = "send"


def no_answer_after(begin: Callable[..., Reply | None]) -> Callable[..., Reply | None]:
    """The store marks the reply, and its answer comes too late."""

    def begin_sending(*args: Any, **kwargs: Any) -> Reply | None:
        begin(*args, **kwargs)
        raise EngineError("The queue did not answer within 10 s")

    return begin_sending


def test_a_mark_whose_answer_came_too_late_is_no_call(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process was stopped while it made the mark: it made no call, and its message knows that."""
    in_hand = InHand()
    monkeypatch.setattr("actors.sending.current_message", lambda: in_hand)
    reply = answered(world.conversations)
    with monkeypatch.context() as patched:
        patched.setattr(
            world.conversations, "begin_sending", no_answer_after(world.conversations.begin_sending)
        )
        with pytest.raises(EngineError):
            send_reply(reply.reply_id)
    assert reply_state(world, reply) == "sending"
    with monkeypatch.context() as patched:
        patched.setattr(world.conversations, "begin_sending", no_answer_after(lambda *_, **__: None))
        with pytest.raises(EngineError):
            send_reply(reply.reply_id)

    send_reply(reply.reply_id)
    assert world.sender.sent == [reply.body]
    assert reply_state(world, reply) == "sent"


def test_a_crash_in_the_call_after_that_is_taken_for_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_hand = InHand()
    monkeypatch.setattr("actors.sending.current_message", lambda: in_hand)
    reply = answered(world.conversations)
    with monkeypatch.context() as patched:
        patched.setattr(
            world.conversations, "begin_sending", no_answer_after(world.conversations.begin_sending)
        )
        with pytest.raises(EngineError):
            send_reply(reply.reply_id)
    world.sender.error = ZeroDivisionError()  # nothing a sender raises: as good as a crash
    with pytest.raises(ZeroDivisionError):
        send_reply(reply.reply_id)
    world.sender.error = None

    send_reply(reply.reply_id)
    assert world.sender.sent == []
    assert reply_state(world, reply) == "unknown"


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


@pytest.mark.parametrize(
    ("status", "label"), [("delivered", "delivered"), ("something new", "other"), ("", "other")]
)
def test_the_metric_of_deliveries_has_no_label_that_others_choose(
    world: World, status: str, label: str
) -> None:
    reply = answered(world.conversations)

    def counted(label: str) -> float | None:
        return REGISTRY.get_sample_value("recado_delivery_statuses_total", {"status": label})

    before = counted(label) or 0
    record_delivery_status({"MessageSid": "SM1", "MessageStatus": status}, reply.reply_id)

    assert counted(label) == before + 1
    assert status == label or counted(status) is None


def test_a_repeated_parameter_of_a_status_counts_once(world: World) -> None:
    reply = answered(world.conversations)

    record_delivery_status({"MessageSid": ["SM1", "SM1"], "MessageStatus": ["sent"]}, reply.reply_id)

    now = world.conversations.reply(reply.reply_id)
    assert now is not None
    assert (now.external_id, now.delivery_status) == ("SM1", "sent")


@pytest.mark.parametrize("sid", [None, [], {"a": 1}])
def test_a_status_of_no_message_changes_nothing(world: World, sid: object) -> None:
    reply = answered(world.conversations)

    with pytest.raises(InvalidMessage, match="MessageSid"):
        record_delivery_status({"MessageSid": sid, "MessageStatus": "sent"}, reply.reply_id)

    assert world.conversations.reply(reply.reply_id) == reply


# -- messages with ids of our own choosing -------------------------------------------------------------


def test_a_named_message_differs_in_nothing_but_its_id() -> None:
    message = process_ai_response.message({"Body": "Oi"})

    again = with_message_id(message, "a-name")

    assert again.message_id == "a-name"
    assert again == message.copy(message_id="a-name")


def test_a_named_message_is_there_once(world: World) -> None:
    for _ in range(2):
        world.services.broker.enqueue(with_message_id(send_reply.message("reply-1"), "a-name"))

    assert world.enqueued == ["send_reply"]


# -- what customers really send ------------------------------------------------------------------------


def test_what_takes_no_answer_is_recorded_and_no_more(world: World) -> None:
    payload = dict(inbound("Seu código é 1234", contact="72975").payload)
    process_ai_response(payload)

    assert world.responder.asked == []
    [summary] = world.conversations.reader.conversations(contact="72975")
    assert (summary.unanswered, summary.state, summary.author) == (0, None, "contact")
    assert world.enqueued == []


def test_a_model_sees_what_a_message_replies_to(world: World) -> None:
    reply = answered(world.conversations, body="Plano A custa R$ 20")
    world.conversations.begin_sending(reply.reply_id)
    world.conversations.record_sent(reply.reply_id, "SM" + "e" * 32)
    payload = dict(inbound("Quero este").payload) | {"OriginalRepliedMessageSid": "SM" + "e" * 32}

    process_ai_response(payload)

    assert world.responder.asked == [['[in reply to: "Plano A custa R$ 20"]\nQuero este']]


def test_a_long_answer_arrives_whole(world: World) -> None:
    sentence = "Esta é uma frase que explica uma parte do assunto. "
    world.responder.answer = Answer(sentence * 48)  # 2,400 characters and more
    process_ai_response(dict(inbound("Explique").payload))

    sent: list[str] = []
    while (reply := next_reply(world.conversations, CONVERSATION)) is not None:
        world.conversations.begin_sending(reply.reply_id)
        world.conversations.record_sent(reply.reply_id, f"SM{len(sent)}")
        sent.append(reply.body)

    assert len(sent) == 2
    assert " ".join(sent) == (sentence * 48).strip()


def test_an_answer_has_no_more_parts_than_it_may(make_world: Callable[..., World]) -> None:
    world = make_world(reply_max_parts=2)
    world.responder.answer = Answer("palavra " * 1_000)
    process_ai_response(dict(inbound("Explique").payload))

    bodies = [e.text for e in world.conversations.reader.thread(CONVERSATION) if e.author == "us"]
    assert len(bodies) == 2
    assert bodies[-1].endswith("…")


# -- contacts who want no messages ---------------------------------------------------------------------


def sent(world: World) -> list[str]:
    """Send all that is to be sent."""
    while "send_reply" in world.enqueued:
        world.run_next("replies")
    return world.sender.sent


def test_a_contact_who_opts_out_is_told_once_and_asked_no_more(world: World) -> None:
    write(world, "PARAR")
    write(world, "Vocês abrem no domingo?")

    assert sent(world) == [world.services.settings.opt_out_text]
    assert world.responder.asked == []
    [summary] = world.conversations.reader.conversations()
    assert (summary.mode, summary.mode_reason, summary.unanswered) == ("nobody", "opted out", 0)


def test_only_the_contact_undoes_it(world: World) -> None:
    write(world, "PARAR")
    write(world, "VOLTAR")
    write(world, "Oi")

    settings = world.services.settings
    assert sent(world) == [settings.opt_out_text, settings.opt_in_text, "answer to Oi"]


def test_what_was_not_sent_yet_is_cancelled(world: World) -> None:
    write(world, "Oi")
    write(world, "SAIR")

    assert sent(world) == [world.services.settings.opt_out_text]
    thread = world.conversations.reader.thread(CONVERSATION)
    states = [entry.state for entry in thread if entry.author == "us"]
    assert states == ["cancelled", "sent"]


def test_a_refusal_because_of_an_opt_out_is_remembered_and_no_dead_letter(world: World) -> None:
    write(world, "Oi")
    world.sender.error = OptedOut("Twilio answered 400, error 21610", code=21610)
    world.run_next("replies")

    assert world.conversations.mode(CONVERSATION) == "nobody"
    assert world.enqueued == []
    write(world, "Oi?")
    assert world.responder.asked == [["Oi"]]


def test_a_callback_of_an_opt_out_is_remembered(world: World) -> None:
    reply = answered(world.conversations)
    payload = {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "21610", "To": "x"}
    record_delivery_status(payload, reply.reply_id)

    assert world.conversations.mode(CONVERSATION) == "nobody"
