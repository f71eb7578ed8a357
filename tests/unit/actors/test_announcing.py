"""Actors announce a fact where they store it: after a crash in between they announce the same event."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from dramatiq.errors import Retry

import actors
from actors.announcing import EventNotDelivered, worth_a_retry
from actors.answer import Answer
from actors.channels import NotSentEver, OptedOut, PerhapsSent
from actors.replies import apologise, process_ai_response
from actors.reply import Reply
from actors.subject import Subject, subject_of
from brokers.records import StoredMessage
from tests.fakes.endpoint import SECRET, TOKEN, FakeEndpoint
from tests.support.conversations import CONVERSATION, answered, inbound

from .conftest import World
from .test_actors import write

MakeWorld = Callable[..., World]

#: Where nobody listens. What is announced stays in the queue.
URL = f"https://127.0.0.1:1/{TOKEN}"


@pytest.fixture
def make(make_world: MakeWorld) -> MakeWorld:
    """Makes surroundings in which another system is to be told."""
    return lambda **settings: make_world(**{"events_url": URL, "events_secret": SECRET, **settings})


def queued(world: World) -> list[StoredMessage]:
    return list(world.services.broker.backend.list("events", "ready"))


def events(world: World) -> list[dict[str, Any]]:
    return [json.loads(message.payload)["args"][1] for message in queued(world)]


def types(world: World) -> list[str]:
    return [event["type"] for event in events(world)]


def the_reply(world: World) -> Reply:
    [reply] = [each for each in world.conversations.reader.thread(CONVERSATION) if each.author == "us"]
    found = world.conversations.reply(str(reply.reply_id))
    assert found is not None
    return found


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_message_is_announced_and_again_after_a_crash(make: MakeWorld) -> None:
    world = make(events="message.received")
    payload = dict(inbound("Oi").payload)
    message = process_ai_response.message(payload)
    process_ai_response(payload)
    [first] = events(world)
    world.forget_enqueued()
    process_ai_response(*message.args)

    [again] = events(world)
    assert again["id"] == first["id"]
    assert first["message"]["text"] == "Oi"
    assert first["conversation"] == CONVERSATION
    assert {first["contact"], first["address"]} == set(CONVERSATION.split("|")[1:])


def test_it_is_one_event_for_each_url(make: MakeWorld) -> None:
    world = make(events_url=f"{URL} {URL}/2", events="message.received")
    write(world, "Oi")

    assert [json.loads(message.payload)["args"][0] for message in queued(world)] == ["1", "2"]
    assert len({event["id"] for event in events(world)}) == 1


def test_without_a_url_nothing_is_announced(world: World) -> None:
    write(world, "Oi")
    write(world, "ATENDENTE")
    world.run_next("replies")

    assert queued(world) == []


def test_a_sending_is_announced_and_again_after_a_crash(make: MakeWorld) -> None:
    world = make()
    reply = answered(world.conversations)
    actors.send_reply(reply.reply_id)
    [first] = [event for event in events(world) if event["type"] == "reply.sent"]
    world.forget_enqueued()
    actors.send_reply(reply.reply_id)

    [again] = [event for event in events(world) if event["type"] == "reply.sent"]
    assert again["id"] == first["id"]
    assert (first["reply"]["id"], first["reply"]["state"]) == (reply.reply_id, "sent")
    assert len(world.sender.sent) == 1


@pytest.mark.parametrize(
    ("statuses", "announced"),
    [
        (["delivered"], ["reply.delivered"]),
        (["delivered", "read"], ["reply.delivered", "reply.read"]),
        (["read", "delivered"], ["reply.read", "reply.delivered"]),
        (["delivered", "delivered"], ["reply.delivered"]),
        (["undelivered", "undelivered"], ["reply.failed"]),
        (["delivered", "failed"], ["reply.delivered"]),
        (["queued"], []),
    ],
)
def test_deliveries(make: MakeWorld, statuses: list[str], announced: list[str]) -> None:
    world = make(events="reply.delivered,reply.read,reply.failed")
    reply = answered(world.conversations)
    actors.send_reply(reply.reply_id)
    sid = the_reply(world).external_id
    for status in statuses:
        error = {"ErrorCode": "63016"} if status in {"undelivered", "failed"} else {}
        callback = {"MessageSid": sid, "MessageStatus": status, "To": "", **error}
        actors.record_delivery_status.fn(callback, reply.reply_id)

    assert types(world) == announced


def test_a_failed_reply_says_why(make: MakeWorld) -> None:
    world = make(events="reply.failed")
    reply = answered(world.conversations)
    world.sender.error = NotSentEver("error 21211")
    with pytest.raises(NotSentEver):
        actors.send_reply(reply.reply_id)
    for _ in range(2):
        actors.give_up_on_reply.fn({"args": [reply.reply_id]}, {})

    [event] = events(world)
    assert (event["reply"]["state"], event["reply"]["error"]) == ("failed", "error 21211")


def test_a_reply_that_was_perhaps_sent(make: MakeWorld) -> None:
    world = make(events="reply.failed")
    reply = answered(world.conversations)
    world.sender.error = PerhapsSent("no answer")
    actors.send_reply(reply.reply_id)
    assert events(world) == []
    actors.give_up_on_finding.fn({"args": [reply.reply_id]}, {})

    assert [event["reply"]["state"] for event in events(world)] == ["unknown"]


def test_a_reply_that_is_withheld_is_announced_and_again_after_a_crash(make: MakeWorld) -> None:
    world = make(events="reply.cancelled")
    reply = answered(world.conversations)
    world.conversations.set_mode(CONVERSATION, "person", "taken over by Ana")
    actors.send_reply(reply.reply_id)
    [first] = events(world)
    world.forget_enqueued()
    actors.send_reply(reply.reply_id)

    assert [event["id"] for event in events(world)] == [first["id"]]


def test_a_channel_that_tells_of_an_opt_out(make: MakeWorld) -> None:
    world = make(events="reply.failed,conversation.opted_out")
    reply = answered(world.conversations)
    world.sender.error = OptedOut("error 21610")
    actors.send_reply(reply.reply_id)

    assert types(world) == ["reply.failed", "conversation.opted_out"]


def test_who_answers_is_announced_once_each_time(make: MakeWorld) -> None:
    world = make(events="conversation.handed_over,conversation.handed_back")
    write(world, "Oi")
    for text in ("ATENDENTE", "ATENDENTE"):
        write(world, text)
    for _ in range(2):
        actors.people.hand_back(CONVERSATION, by="Ana")
    actors.people.take_over(CONVERSATION, by="Ana")

    told = [(event["type"], event["asked_by"], event["mode"]) for event in events(world)]
    assert told == [
        ("conversation.handed_over", "contact", "person"),
        ("conversation.handed_back", "operator", "assistant"),
        ("conversation.handed_over", "operator", "person"),
    ]


def test_a_responder_hands_over(make: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is announced before it is written: after a crash in between the message runs again."""
    world = make(events="conversation.handed_over")
    world.responder.answer = Answer("Já chamo alguém.", hand_over="quer o gerente")
    with monkeypatch.context() as patch:
        patch.setattr(world.conversations, "answer", _dies)
        with pytest.raises(KeyboardInterrupt):
            write(world, "Quero o gerente")

    [event] = events(world)
    assert (event["reason"], event["asked_by"]) == ("quer o gerente", "responder")


def test_silence_hands_back(make: MakeWorld) -> None:
    world = make(events="conversation.handed_back", hand_back_after_hours=1e-9)
    write(world, "ATENDENTE")
    write(world, "Oi")

    assert [event["asked_by"] for event in events(world)] == ["silence"]


def test_opting_out_and_in(make: MakeWorld) -> None:
    world = make(events="conversation.opted_out,conversation.opted_in")
    for text in ("PARAR", "PARAR", "VOLTAR", "VOLTAR"):
        write(world, text)

    assert types(world) == ["conversation.opted_out", "conversation.opted_in"]


def test_no_answer_could_be_produced(make: MakeWorld) -> None:
    world = make(events="message.failed")
    message = process_ai_response.message(dict(inbound("Oi").payload)).asdict()
    for _ in range(2):
        apologise(message, {"retries": 8, "max_retries": 8})

    assert types(world) == ["message.failed"]


def test_an_event_is_about_its_contact(make: MakeWorld) -> None:
    """So `recado forget` finds it."""
    world = make(events="message.received")
    write(world, "Oi")

    [message] = queued(world)
    assert subject_of(message.payload) == Subject(CONVERSATION.split("|")[2], "Oi")


def test_an_endpoint_says_when_to_come_back(make: MakeWorld) -> None:
    with FakeEndpoint() as endpoint:
        make(events_url=endpoint.url)
        endpoint.answer(429, Retry_After="90")
        with pytest.raises(Retry) as raised:
            actors.deliver_event.fn("1", {"id": "evt_1"})
    assert raised.value.delay == 90_000


def test_an_endpoint_that_is_gone(make: MakeWorld) -> None:
    make()
    with pytest.raises(EventNotDelivered, match="no number 2 any more") as raised:
        actors.deliver_event.fn("2", {"id": "evt_1"})
    assert not worth_a_retry(0, raised.value)
