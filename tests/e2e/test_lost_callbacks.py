"""A callback that never comes: Twilio is asked, by one worker, and what it says is recorded."""

from __future__ import annotations

import pytest
from llmock.pytest_plugin import LLMock

from tests.fakes.twilio import Message
from tests.support.system import PATIENCE_S, System
from tests.support.waiting import eventually

from .conftest import MakeSystem, Settings


@pytest.fixture
def system(make_system: MakeSystem, model_settings: Settings, llmock: LLMock) -> System:
    """An API at work, whose workers ask after a second."""
    system = make_system(**model_settings, DELIVERY_CHECK_AFTER_S="1")
    system.api()
    llmock.reply("Olá!", times=9)
    return system


def sent(system: System) -> Message:
    contact = system.contact()
    system.write("Oi", sender=contact)
    eventually(lambda: system.twilio.sent_to(contact), within_s=PATIENCE_S)
    [message] = system.twilio.sent_to(contact)
    eventually(lambda: system.reply_of(message).state == "sent", within_s=PATIENCE_S)
    return message


def checks(system: System, outcome: str) -> float:
    return system.metric("recado_delivery_checks_total", outcome=outcome)


def test_a_reply_whose_callback_was_lost_is_delivered_within_a_round(system: System) -> None:
    system.worker()
    message = sent(system)
    message.status = "delivered"

    eventually(lambda: system.reply_of(message).delivery_status == "delivered", within_s=PATIENCE_S)
    eventually(lambda: checks(system, "moved") >= 1)  # counted after it is stored
    eventually(lambda: system.metric("recado_delivery_statuses_total", status="delivered") == 1)


def test_a_failure_of_which_nothing_was_heard_wants_attention(system: System) -> None:
    system.worker()
    message = sent(system)
    message.status, message.error_code = "undelivered", 30003

    eventually(lambda: system.reply_of(message).state == "undelivered", within_s=PATIENCE_S)
    assert "30003" in (system.reply_of(message).error or "")


def test_twilio_is_not_asked_again_about_what_it_does_not_have(system: System) -> None:
    message = sent_before_any_look(system)
    system.twilio.messages.remove(message)
    system.worker()

    eventually(lambda: checks(system, "gone") == 1, within_s=PATIENCE_S)
    other = sent(system)
    other.status = "delivered"
    eventually(lambda: system.reply_of(other).delivery_status == "delivered", within_s=PATIENCE_S)
    assert system.twilio.fetched.count(message.sid) == 1


def test_a_round_ends_when_twilio_has_too_much_to_do(system: System) -> None:
    message = sent_before_any_look(system)
    message.status = "delivered"
    system.twilio.refuse_fetch(429)
    system.worker()

    eventually(lambda: checks(system, "put_off") == 1, within_s=PATIENCE_S)
    other = sent(system)
    other.status = "delivered"
    eventually(lambda: system.reply_of(other).delivery_status == "delivered", within_s=PATIENCE_S)
    assert system.reply_of(message).delivery_status is None, "it is due in five minutes"


def test_two_workers_ask_once(system: System) -> None:
    messages = [sent_before_any_look(system) for _ in range(3)]
    for message in messages:
        message.status = "delivered"
    system.worker()
    system.worker()

    eventually(
        lambda: all(system.reply_of(each).delivery_status == "delivered" for each in messages),
        within_s=PATIENCE_S,
    )
    assert sorted(system.twilio.fetched) == sorted(message.sid for message in messages)


def sent_before_any_look(system: System) -> Message:
    """A reply whose look is due when the next worker starts."""
    worker = system.worker(DELIVERY_CHECK_AFTER_S="0")
    message = sent(system)
    system.settle()
    worker.kill()
    return message
