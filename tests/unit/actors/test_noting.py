"""Actors note what a person has to know, before they change what it is about."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

import actors
from actors.answer import Answer
from actors.channels import NotSentEver, PerhapsSent
from actors.conversations.notices import NotedEvent
from actors.notices.receiver import receivers_of
from actors.replies import apologise, process_ai_response
from brokers.records import StoredMessage
from ops.foundation.settings import Settings
from tests.fakes.receiver import FakeReceiver
from tests.support.conversations import CONVERSATION, answered, inbound

from .conftest import World
from .test_actors import write


@pytest.fixture(scope="module")
def server() -> Iterator[FakeReceiver]:
    with FakeReceiver() as server:
        yield server


MakeWorld = Callable[..., World]


@pytest.fixture
def make(make_world: MakeWorld, server: FakeReceiver) -> MakeWorld:
    """Makes surroundings in which there are people to tell."""

    def make(**settings: object) -> World:
        return make_world(
            receivers=receivers_of(Settings(_env_file=None, notify_urls=server.url)),
            public_base_url="https://recado.example.com",
            **settings,
        )

    return make


def noted(world: World) -> list[NotedEvent]:
    [receiver] = world.services.receivers
    taken = world.conversations.notices.take(
        receiver, "a test", now=2**53, ripe_at=2**53, is_quiet=False, until=2**53, expired_at=0
    )
    return list(taken.events)


def events(world: World) -> list[Any]:
    return [event.content["event"] for event in noted(world)]


def wakes(world: World) -> list[StoredMessage]:
    return list(world.services.broker.backend.list("notices", "delayed"))


def test_a_contact_asks_for_a_person(make: MakeWorld) -> None:
    world = make()
    payload = write(world, "ATENDENTE")

    [event] = noted(world)
    link = (
        f"https://recado.example.com/dashboard/conversations/{payload['AccountSid']}.{payload['MessageSid']}"
    )
    assert event.content == {
        "event": "person_asked_for",
        "contact": "whatsapp …1234",
        "link": link,
    }
    [wake] = wakes(world)
    assert wake.actor == "notify"


def test_a_responder_hands_over_and_its_words_are_not_told(make: MakeWorld) -> None:
    world = make()
    world.responder.answer = Answer("Já chamo alguém.", hand_over="Ana Clara quer o gerente")
    write(world, "Quero o gerente")

    [event] = noted(world)
    assert event.content["event"] == "handed_over"
    assert not {"why", "quote"} & set(event.content)


def test_with_notify_texts_they_are(make: MakeWorld) -> None:
    world = make(notify_texts=True)
    world.responder.answer = Answer("Já chamo alguém.", hand_over="quer o gerente")
    write(world, "Quero o gerente")
    write(world, "ATENDENTE")

    assert [event.content["quote"] for event in noted(world)] == ["quer o gerente", "ATENDENTE"]


def test_a_hand_over_is_noted_before_it_is_written(make: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a crash in between the message runs again; the other way round it would have nothing to do."""
    world = make()
    world.responder.answer = Answer("Já chamo alguém.", hand_over="why")
    monkeypatch.setattr(world.conversations, "answer", _dies)

    with pytest.raises(KeyboardInterrupt):
        write(world, "Quero o gerente")

    assert events(world) == ["handed_over"]
    assert len(wakes(world)) == 1


def _dies(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_a_limit_is_noted_before_a_person_is_to_answer(
    make: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = make(contact_same_text_limit=1)
    write(world, "Oi")
    monkeypatch.setattr(world.conversations, "set_mode", _dies)
    with pytest.raises(KeyboardInterrupt):
        write(world, "Oi")

    [event] = noted(world)
    assert event.content["event"] == "limit_reached"
    assert event.content["why"] == "the contact sent the same text more than 1 times in a row"


def test_an_operator_who_takes_over_tells_nobody(make: MakeWorld) -> None:
    world = make()
    write(world, "Oi")
    actors.people.take_over(CONVERSATION, by="Ana")

    assert noted(world) == []


def test_a_contact_who_has_opted_out_gets_no_person(make: MakeWorld) -> None:
    world = make()
    write(world, "PARAR")
    write(world, "ATENDENTE")

    assert noted(world) == []


def test_no_answer_could_be_produced(make: MakeWorld) -> None:
    world = make()
    message = process_ai_response.message(dict(inbound("Oi").payload)).asdict()
    apologise(message, {"retries": 8, "max_retries": 8})

    assert events(world) == ["no_answer"]


def test_a_blocked_contact_without_an_answer_is_nobodys_affair(make: MakeWorld) -> None:
    world = make(blocked_addresses="+5511900001234")
    message = process_ai_response.message(dict(inbound("Oi").payload)).asdict()
    apologise(message, {"retries": 8, "max_retries": 8})

    assert noted(world) == []


def test_a_reply_cannot_be_sent_and_its_number_is_not_told(make: MakeWorld) -> None:
    world = make()
    write(world, "Oi")
    world.sender.error = NotSentEver("error 21211: '+5511900001234' is no valid number")
    with pytest.raises(NotSentEver):
        world.run_next("replies")
    [reply] = [entry for entry in world.conversations.reader.thread(CONVERSATION) if entry.author == "us"]
    actors.give_up_on_reply.fn({"args": [reply.reply_id]}, {})

    [event] = noted(world)
    assert event.content["event"] == "reply_failed"
    assert event.content["why"] == "error 21211: '…1234' is no valid number"


def test_a_reply_of_which_it_is_never_known_whether_it_was_sent(make: MakeWorld) -> None:
    world = make()
    write(world, "Oi")
    world.sender.error = PerhapsSent("no answer")
    world.run_next("replies")
    [reply] = [entry for entry in world.conversations.reader.thread(CONVERSATION) if entry.author == "us"]
    actors.give_up_on_finding.fn({"args": [reply.reply_id]}, {})

    assert events(world) == ["reply_unknown"]


@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (["undelivered"], ["reply_undelivered"]),
        (["undelivered", "undelivered"], ["reply_undelivered"]),
        (["delivered"], []),
        (["delivered", "failed"], []),
        (["read", "undelivered"], []),
    ],
)
def test_a_reply_that_did_not_arrive_is_told_once(
    make: MakeWorld, statuses: list[str], told: list[str]
) -> None:
    world = make()
    write(world, "Oi")
    world.run_next("replies")
    [reply] = [entry for entry in world.conversations.reader.thread(CONVERSATION) if entry.author == "us"]
    for status in statuses:
        callback = {
            "MessageSid": f"SM{reply.reply_id}",
            "MessageStatus": status,
            "ErrorCode": "63016",
            "To": "",
        }
        actors.record_delivery_status.fn(callback, str(reply.reply_id))

    assert events(world) == told


def test_without_urls_nothing_is_noted(world: World) -> None:
    write(world, "ATENDENTE")

    assert wakes(world) == []
    taken = world.conversations.notices.take(
        "any", "a test", now=2**53, ripe_at=2**53, is_quiet=False, until=2**53, expired_at=0
    )
    assert taken.events == []


def test_a_repeated_callback_of_a_reply_that_is_being_sent_again_tells_nothing(make: MakeWorld) -> None:
    world = make(message_max_age_ms=10**13)
    reply = answered(world.conversations)
    actors.send_reply(reply.reply_id)
    sent = world.conversations.reply(reply.reply_id)
    assert sent is not None
    status = {"MessageSid": sent.external_id, "MessageStatus": "undelivered", "ErrorCode": "63018"}

    actors.record_delivery_status(status, reply.reply_id)
    assert world.conversations.begin_sending(reply.reply_id) is not None
    actors.record_delivery_status(status, reply.reply_id)

    assert events(world) == []
