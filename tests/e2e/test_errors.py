"""The model and Twilio refuse, limit and fail: what can be mended by waiting is, the rest is told."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from brokers.clock import now_ms
from tests.support.system import System
from tests.support.waiting import eventually

from .conftest import FALLBACK, MakeSystem


def test_a_model_that_limits_is_asked_again_when_it_said(running: System, llmock: LLMock) -> None:
    contact = running.contact()
    llmock.rate_limit(retry_after=1).reply("Olá!")

    running.write("Oi", sender=contact)
    running.settle()

    assert running.twilio.bodies_to(contact) == ["Olá!"]
    assert [request.status for request in llmock.requests] == [429, 200]
    llmock.assert_resilient()


def test_a_model_that_failed_is_asked_again(running: System, llmock: LLMock) -> None:
    contact = running.contact()
    llmock.fail(500).fail(503).reply("Olá!")

    running.write("Oi", sender=contact)
    running.settle()

    assert running.twilio.bodies_to(contact) == ["Olá!"]
    assert [request.status for request in llmock.requests] == [500, 503, 200]
    assert running.dead_letters() == []


def test_a_refused_message_gets_the_fallback_and_is_a_dead_letter(running: System, llmock: LLMock) -> None:
    contact = running.contact()
    llmock.context_overflow()

    running.write("Oi", sender=contact)
    running.settle()

    assert running.twilio.bodies_to(contact) == [FALLBACK]
    [letter] = running.dead_letters()
    assert (letter.actor, letter.reason) == ("process_ai_response", "failed")
    assert len(llmock.requests) == 1, "a refusal is not worth a retry"


def test_a_refused_message_without_a_fallback_text_is_a_dead_letter(front: System, llmock: LLMock) -> None:
    contact = front.contact()
    llmock.context_overflow()

    front.worker()
    front.write("Oi", sender=contact)
    front.settle()

    assert front.twilio.sends == []
    assert [letter.actor for letter in front.dead_letters()] == ["process_ai_response"]


def test_a_model_that_is_down_for_good_leads_to_one_fallback(running: System, llmock: LLMock) -> None:
    contact = running.contact()
    llmock.outage()

    running.write("Oi", sender=contact)
    running.write("Alô?", sender=contact)
    running.settle()

    assert running.twilio.bodies_to(contact) == [FALLBACK]
    assert running.dead_letters("process_ai_response") != []


def test_what_came_in_while_an_answer_failed_for_good_is_answered(
    front: System, llmock: LLMock, llmock_server: LLMockServer
) -> None:
    """Its own message found the conversation held, and counted on the one that then failed."""
    contact = front.contact()
    llmock.delay(5)
    front.worker(MESSAGE_MAX_RETRIES="0", AI_TIMEOUT_S="1.5")
    front.write("Oi", sender=contact)
    eventually(lambda: not llmock_server.state.scenarios.pending())
    llmock.reply("Sim!")
    front.write("Alguém aí?", sender=contact)
    front.settle()

    assert front.twilio.bodies_to(contact) == ["Sim!"]
    assert [line["content"] for line in llmock.last_request.body["messages"][1:]] == ["Alguém aí?"]
    [letter] = front.dead_letters()
    assert b'"Oi"' in letter.payload


#: Above MESSAGE_MAX_AGE_MS, in milliseconds.
TOO_OLD = 2 * 3_600_000


def test_a_message_that_waited_for_too_long_gets_the_fallback_and_is_a_dead_letter(
    running: System, llmock: LLMock
) -> None:
    contact = running.contact()
    parameters = running.parameters("Oi", sender=contact)
    message_id = running.enqueue("messages", "process_ai_response", parameters, age_ms=TOO_OLD)
    running.settle()

    assert running.twilio.bodies_to(contact) == [FALLBACK]
    assert [(letter.message_id, letter.reason) for letter in running.dead_letters()] == [
        (message_id, "expired")
    ]
    assert llmock.requests == []


def test_a_message_that_waited_for_too_long_is_answered_when_it_is_replayed(
    front: System, llmock: LLMock
) -> None:
    contact = front.contact()
    parameters = front.parameters("Oi", sender=contact)
    message_id = front.enqueue("messages", "process_ai_response", parameters, age_ms=TOO_OLD)
    front.worker()
    front.settle()
    assert front.twilio.sends == []

    llmock.reply("Olá!")
    assert front.run("dead", "replay", message_id).returncode == 0
    front.settle()

    assert front.twilio.bodies_to(contact) == ["Olá!"]
    assert front.dead_letters() == []


def test_the_time_to_a_reply_counts_from_the_webhook(make_system: MakeSystem) -> None:
    """While no worker runs customers wait too."""
    system = make_system()
    system.api()
    system.write("Oi", sender=system.contact())
    accepted_at = now_ms()

    system.worker()
    system.settle()

    [message] = system.twilio.messages
    assert system.reply_of(message).received_at <= accepted_at


def test_a_replayed_dead_letter_is_answered(front: System, llmock: LLMock) -> None:
    contact = front.contact()
    llmock.context_overflow()
    front.worker()
    front.write("Oi", sender=contact)
    front.settle()
    llmock.reply("Olá!")

    assert front.run("dead", "replay", "--all").returncode == 0
    front.settle()

    assert front.twilio.bodies_to(contact) == ["Olá!"]
    assert front.dead_letters() == []


@pytest.mark.parametrize(("status", "code", "retry_after"), [(429, 20429, "1"), (429, 20429, None)])
def test_a_reply_twilio_limits_is_sent_later_and_not_written_again(
    running: System, llmock: LLMock, status: int, code: int, retry_after: str | None
) -> None:
    contact = running.contact()
    running.twilio.refuse(status, code, retry_after=retry_after)

    running.write("Oi", sender=contact)
    running.settle()

    assert len(running.twilio.sent_to(contact)) == 1
    assert len(running.twilio.sends) == 2
    assert len(llmock.requests) == 1


def test_a_reply_twilio_refuses_is_a_dead_letter_and_the_next_goes_out(
    running: System, llmock: LLMock
) -> None:
    contact = running.contact()
    running.twilio.refuse(400, 21211)

    running.write("Oi", sender=contact)
    running.settle()
    running.write("Alô?", sender=contact)
    running.settle()

    [letter] = running.dead_letters()
    assert letter.actor == "send_reply"
    assert "21211" in (letter.last_error or "")
    assert len(running.twilio.sent_to(contact)) == 1
    assert len(llmock.requests) == 2


def test_a_contact_who_has_opted_out_at_twilio_gets_nothing_more_and_costs_no_call(
    running: System, llmock: LLMock
) -> None:
    contact = running.contact()
    running.twilio.refuse(400, 21610)

    running.write("Oi", sender=contact)
    running.settle()
    running.write("Alô?", sender=contact)
    running.settle()

    assert running.dead_letters() == []
    assert running.twilio.sent_to(contact) == []
    assert len(llmock.requests) == 1


def test_a_reply_that_twilio_limits_for_good_is_given_up_and_the_next_goes_out(
    running: System, llmock: LLMock
) -> None:
    contact = running.contact()
    running.twilio.refuse(429, 20429, retry_after="0", times=4)

    running.write("Oi", sender=contact)
    running.settle()
    llmock.reply("Olá de novo!")
    running.write("Alô?", sender=contact)
    running.settle()

    assert [letter.actor for letter in running.dead_letters()] == ["send_reply"]
    assert running.twilio.bodies_to(contact) == ["Olá de novo!"]


def test_a_model_that_wants_to_be_left_alone_for_a_day_silences_no_contact(
    make_system: MakeSystem, model_settings: Mapping[str, str], llmock: LLMock
) -> None:
    system = make_system(MESSAGE_MAX_AGE_MS="2000", REPLY_FALLBACK_TEXT=FALLBACK, **model_settings)
    system.api()
    system.worker()
    contact = system.contact()
    llmock.rate_limit(retry_after=86_400)

    system.write("Oi", sender=contact)
    eventually(lambda: system.twilio.bodies_to(contact) == [FALLBACK])

    system.settle()
    [letter] = system.dead_letters()
    assert (letter.actor, letter.reason) == ("process_ai_response", "expired")


def test_a_reply_that_twilio_puts_off_for_a_day_does_not_keep_back_the_next(
    make_system: MakeSystem, model_settings: Mapping[str, str], llmock: LLMock
) -> None:
    system = make_system(MESSAGE_MAX_AGE_MS="2000", **model_settings)
    system.api()
    system.worker()
    contact = system.contact()
    llmock.reply("Olá!").reply("Olá de novo!")
    system.twilio.refuse(429, 20429, retry_after="90000")

    system.write("Oi", sender=contact)
    eventually(lambda: system.twilio.sends)
    system.write("Alô?", sender=contact)
    eventually(lambda: system.twilio.bodies_to(contact) == ["Olá de novo!"])

    system.settle()
    [letter] = system.dead_letters()
    assert (letter.actor, letter.reason) == ("send_reply", "expired")
