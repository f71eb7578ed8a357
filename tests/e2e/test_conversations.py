"""Many messages at once: each is answered exactly once, and in order."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fakes.twilio import FakeTwilio
from tests.support.system import System

from .conftest import MakeSystem


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio) -> Iterator[System]:
    """Two workers, and a responder that repeats what it was asked, so that replies tell what they answer."""
    with System(tmp_path_factory.mktemp("busy"), twilio, ECHO_DELAY_S="0.1") as system:
        system.api()
        system.worker()
        system.worker()
        yield system


def answered(system: System, contact: str) -> list[str]:
    """What the replies to a contact answer, in the order they were sent."""
    return [
        line
        for body in system.twilio.bodies_to(contact)
        for line in body.removeprefix("[echo, not an AI] ").split("\n")
    ]


#: Order is kept among the messages that workers got to while the burst was gathered: for tests, an age.
GATHER_MS = "3000"


def test_a_burst_is_answered_once_however_it_is_taken_apart(busy: System) -> None:
    """Nothing is gathered here: every message may meet a turn that has begun."""
    contact = busy.contact()
    texts = [f"message {number}" for number in range(10)]

    for text in texts:
        busy.write(text, sender=contact)
    busy.settle()

    assert sorted(answered(busy, contact)) == texts


def test_a_burst_is_answered_by_one_reply_in_order(make_system: MakeSystem) -> None:
    system = make_system(REPLY_GATHER_MS=GATHER_MS)
    system.api()
    system.worker()
    system.worker()
    contact = system.contact()
    texts = [f"message {number}" for number in range(10)]

    for text in texts:
        system.write(text, sender=contact)
    system.settle()

    assert answered(system, contact) == texts
    assert len(system.twilio.bodies_to(contact)) == 1


def test_a_burst_that_waited_is_answered_by_one_reply_in_order(make_system: MakeSystem) -> None:
    """Many threads take the messages at the same moment, as after a restart."""
    system = make_system(REPLY_GATHER_MS=GATHER_MS)
    system.api()
    contact = system.contact()
    texts = [f"message {number}" for number in range(20)]
    for text in texts:
        system.write(text, sender=contact)

    system.worker("--threads", "8")
    system.settle()

    assert answered(system, contact) == texts
    assert len(system.twilio.bodies_to(contact)) == 1


def test_twenty_conversations_at_once_do_not_mix(busy: System) -> None:
    texts = {contact: [f"{contact} {n}" for n in range(3)] for contact in (busy.contact() for _ in range(20))}

    def converse(contact: str) -> None:
        for text in texts[contact]:
            busy.write(text, sender=contact)

    with ThreadPoolExecutor(max_workers=20) as contacts:
        list(contacts.map(converse, texts))
    busy.settle()

    assert {contact: sorted(answered(busy, contact)) for contact in texts} == texts


def test_without_a_worker_webhooks_are_accepted_and_answered_once_there_is_one(
    make_system: MakeSystem,
) -> None:
    system = make_system()
    system.api()
    contacts = [system.contact() for _ in range(100)]
    for contact in contacts:
        system.write("Oi", sender=contact)
    assert system.twilio.requests == []

    system.worker()
    system.settle()

    assert [len(system.twilio.sent_to(contact)) for contact in contacts] == [1] * 100
