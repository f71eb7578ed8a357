"""Nobody can tell whether a reply was sent: it is never sent twice, and never forgotten."""

from __future__ import annotations

import pytest
from llmock.pytest_plugin import LLMock

from tests.support.system import PATIENCE_S, System
from tests.support.waiting import eventually


def die_in_flight(front: System, *, stores: bool, **settings: str) -> str:
    """Kill a worker while Twilio has its request and has not answered; the contact it was for."""
    contact = front.contact()
    gate = front.twilio.withhold(stores=stores)
    worker = front.worker(**settings)
    front.write("Oi", sender=contact)
    assert gate.reached.wait(PATIENCE_S)
    worker.kill()
    gate.open()
    return contact


def test_a_reply_twilio_had_is_found_and_not_sent_again(front: System) -> None:
    contact = die_in_flight(front, stores=True)

    front.worker()
    front.settle()

    assert len(front.twilio.sends) == 1
    [message] = front.twilio.sent_to(contact)
    reply = front.reply_of(message)
    assert (reply.state, reply.external_id) == ("sent", message.sid)
    assert front.dead_letters() == []


def test_a_reply_twilio_never_had_is_a_dead_letter(front: System) -> None:
    contact = die_in_flight(front, stores=False)

    front.worker()
    front.settle()

    assert len(front.twilio.sends) == 1
    assert front.twilio.sent_to(contact) == []
    [letter] = front.dead_letters()
    assert letter.actor == "reconcile_reply"
    assert "REPLY_UNKNOWN_POLICY" in (letter.last_error or "")


def test_a_reply_twilio_never_had_is_sent_again_if_the_settings_say_so(front: System) -> None:
    contact = die_in_flight(front, stores=False)

    front.worker(REPLY_UNKNOWN_POLICY="resend")
    front.settle()

    assert len(front.twilio.sent_to(contact)) == 1
    assert len(front.twilio.sends) == 2
    assert front.dead_letters() == []


def test_the_policy_to_send_again_sends_nothing_twice(front: System) -> None:
    contact = die_in_flight(front, stores=True)

    front.worker(REPLY_UNKNOWN_POLICY="resend")
    front.settle()

    assert len(front.twilio.sent_to(contact)) == 1


def test_a_status_callback_settles_the_matter(front: System) -> None:
    contact = die_in_flight(front, stores=True)
    [message] = front.twilio.sent_to(contact)

    front.worker(REPLY_RECONCILE_DELAYS_S="3600")  # no look before the test is over
    eventually(lambda: front.reply_of(message).state == "unknown")
    front.twilio.report(message, "delivered", through=front.url)

    eventually(lambda: front.reply_of(message).state == "sent")
    assert len(front.twilio.sends) == 1


@pytest.mark.parametrize("failure", ["error", "silence", "reset"])
def test_a_failure_after_twilio_took_the_reply(running: System, failure: str) -> None:
    contact = running.contact()
    match failure:
        case "error":
            running.twilio.fail(500, stores=True)
        case "silence":
            running.twilio.withhold(stores=True)
        case "reset":
            running.twilio.drop(stores=True)

    running.write("Oi", sender=contact)
    running.settle()

    assert len(running.twilio.sends) == 1
    [message] = running.twilio.sent_to(contact)
    assert running.reply_of(message).state == "sent"


def test_a_failure_before_twilio_took_the_reply(running: System) -> None:
    contact = running.contact()
    running.twilio.fail(503, stores=False)

    running.write("Oi", sender=contact)
    running.settle()

    assert len(running.twilio.sends) == 1, "503 does not say that nothing was sent"
    assert [letter.actor for letter in running.dead_letters()] == ["reconcile_reply"]
    assert running.twilio.sent_to(contact) == []


def test_two_equal_replies_are_not_taken_for_each_other(running: System, llmock: LLMock) -> None:
    contact = running.contact()
    llmock.reply("Olá!", times=2)
    running.write("Oi", sender=contact)
    running.settle()
    [first] = running.twilio.sent_to(contact)

    running.twilio.fail(500, stores=False)
    running.write("Oi", sender=contact)
    running.settle()

    assert [message.sid for message in running.twilio.sent_to(contact)] == [first.sid]
    assert [letter.actor for letter in running.dead_letters()] == ["reconcile_reply"]
