"""Other systems are told what happens, at least once, whatever dies meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.endpoint import SECRET, TOKEN, FakeEndpoint
from tests.support.system import System
from tests.support.waiting import eventually

from .conftest import MakeSystem


@pytest.fixture
def endpoint() -> Iterator[FakeEndpoint]:
    with FakeEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def system(make_system: MakeSystem, endpoint: FakeEndpoint) -> System:
    return make_system(EVENTS_URL=endpoint.url, EVENTS_SECRET=SECRET, LOG_LEVEL="DEBUG")


def one(endpoint: FakeEndpoint, event_type: str) -> dict[str, Any]:
    [event] = [event for event in endpoint.events if event["type"] == event_type]
    return event


def test_a_conversation_is_told_from_its_message_to_its_delivery(
    system: System, endpoint: FakeEndpoint
) -> None:
    system.api()
    system.worker()
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()
    [sent] = system.twilio.sent_to(contact)
    system.twilio.report(sent, "delivered", through=system.url)
    system.twilio.report(sent, "delivered", through=system.url)  # Twilio repeats itself
    system.settle()

    assert endpoint.types == ["message.received", "reply.delivered", "reply.sent"]
    assert endpoint.forged == 0
    received, reply_sent = one(endpoint, "message.received"), one(endpoint, "reply.sent")
    assert received["message"]["text"] == "Oi"
    assert {event["contact"] for event in endpoint.events} == {contact}
    assert reply_sent["reply"]["external_id"] == sent.sid
    assert reply_sent["reply"]["id"] == one(endpoint, "reply.delivered")["reply"]["id"]
    assert TOKEN not in system.logs()
    assert contact[-10:] not in system.logs()
    assert "Oi" not in system.logs()


def test_an_endpoint_that_is_away_gets_all_when_it_is_back(system: System, endpoint: FakeEndpoint) -> None:
    system.api()
    system.worker()
    endpoint.answer(503)
    contact = system.contact()
    system.write("Oi", sender=contact)
    eventually(lambda: len(endpoint.refused) >= 3)
    assert eventually(lambda: system.twilio.sent_to(contact)), "events delay no answer"
    endpoint.accept()
    system.settle()

    assert endpoint.types == ["message.received", "reply.sent"]
    ids = {headers["webhook-id"] for headers in endpoint.refused}
    assert ids <= {event["id"] for event in endpoint.events}, "an event keeps its id"


def test_workers_killed_while_events_wait(system: System, endpoint: FakeEndpoint) -> None:
    system.api()
    endpoint.answer(503)
    worker = system.worker()
    system.write("Oi", sender=system.contact())
    eventually(lambda: endpoint.refused and system.waiting() == system.waiting("events"))
    worker.kill()
    assert endpoint.taken == []
    endpoint.accept()

    system.worker()
    system.settle()

    assert endpoint.types == ["message.received", "reply.sent"]


@pytest.mark.parametrize("event_type", ["message.received", "reply.sent", "conversation.opted_out"])
def test_a_worker_dies_between_a_fact_and_its_event(
    system: System, endpoint: FakeEndpoint, event_type: str
) -> None:
    system.settings["DIES_BEFORE"] = event_type
    system.api()
    contact = system.contact()
    worker = system.dramatiq("-p", "1", "-t", "1", "tests.e2e.dies_before_announcing")
    text = "PARAR" if event_type == "conversation.opted_out" else "Oi"
    system.write(text, sender=contact)
    assert worker.wait() != 0
    assert event_type not in endpoint.types

    system.worker()
    system.settle()

    assert endpoint.types.count(event_type) == 1
    assert endpoint.types.count("message.received") == 1
    assert len(system.twilio.sent_to(contact)) == 1


def test_a_final_refusal_is_a_dead_letter_that_says_why(system: System, endpoint: FakeEndpoint) -> None:
    system.api()
    system.worker()
    endpoint.answer(410)
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()

    dead = system.dead_letters("deliver_event")
    assert len(dead) == len(endpoint.refused) == 2
    for letter in dead:
        told = f"{letter}"
        assert "http://••• (number 1) answered 410" in told
        assert TOKEN not in told
        assert SECRET not in told
    assert system.twilio.sent_to(contact)

    endpoint.accept()
    assert system.run("dead", "replay", "--all", "--yes").returncode == 0
    system.settle()
    assert endpoint.types == ["message.received", "reply.sent"]


def test_what_is_never_taken_becomes_a_dead_letter(make_system: MakeSystem) -> None:
    system = make_system(
        EVENTS_URL=f"http://127.0.0.1:1/{TOKEN}",
        EVENTS_SECRET=SECRET,
        EVENTS="message.received",
        EVENTS_MAX_AGE_MS="500",
    )
    system.api()
    system.worker()
    system.write("Oi", sender=system.contact())
    system.settle()

    [dead] = system.dead_letters("deliver_event")
    assert "the connection failed: ConnectError, and was not taken within 500 ms" in f"{dead}"
    assert TOKEN not in f"{dead}"


def test_who_is_forgotten_is_told_of_no_more(system: System, endpoint: FakeEndpoint) -> None:
    system.api()
    worker = system.worker()
    endpoint.answer(410)
    contact = system.contact()
    system.write("Oi", sender=contact)
    system.settle()
    worker.kill()

    ended = system.run("forget", contact.removeprefix("whatsapp:"), "--yes")
    assert ended.returncode == 0, ended.stderr
    assert system.dead_letters("deliver_event") == []


def test_wrong_settings_are_listed_at_start(make_system: MakeSystem) -> None:
    system = make_system(EVENTS_URL=f"http://crm.example.com/{TOKEN}", EVENTS="reply.sung")
    ended = system.run("worker")

    said = ended.stdout + ended.stderr
    assert ended.returncode != 0
    assert "EVENTS_URL" in said
    assert "number 1 is none" in said
    assert "there is no event reply.sung" in said
    assert TOKEN not in said
