"""A contact writes, and gets one answer."""

from __future__ import annotations

import pytest
from llmock.pytest_plugin import LLMock

from tests.support.system import ADDRESS, PUBLIC_URL, SMS_ADDRESS, System


@pytest.mark.parametrize(("channel", "address"), [("whatsapp:", ADDRESS), ("", SMS_ADDRESS)])
def test_a_message_gets_one_answer_from_the_address_it_was_sent_to(
    running: System, llmock: LLMock, channel: str, address: str
) -> None:
    contact = running.contact(channel)
    llmock.reply("Olá! 👋")

    running.write("Oi", sender=contact, to=address)
    running.settle()

    [message] = running.twilio.sent_to(contact)
    assert (message.body, message.address) == ("Olá! 👋", address)


def test_the_status_callback_names_the_reply(running: System) -> None:
    contact = running.contact()
    running.write("Oi", sender=contact)
    running.settle()

    [message] = running.twilio.sent_to(contact)
    assert message.status_callback is not None
    assert message.status_callback.startswith(f"{PUBLIC_URL}/webhooks/twilio/status?reply=")
    assert running.reply_of(message).external_id == message.sid


def test_a_delivery_moves_forward_only(running: System) -> None:
    contact = running.contact()
    running.write("Oi", sender=contact)
    running.settle()
    [message] = running.twilio.sent_to(contact)

    seen = []
    for status in ("sending", "delivered", "sent", "read", "delivered"):
        assert running.twilio.report(message, status, through=running.url).status_code == 200
        running.settle()
        seen.append(running.reply_of(message).delivery_status)

    assert seen == ["sending", "delivered", "delivered", "read", "read"]


def test_a_failed_delivery_says_why(running: System) -> None:
    contact = running.contact()
    running.write("Oi", sender=contact)
    running.settle()
    [message] = running.twilio.sent_to(contact)

    running.twilio.report(message, "undelivered", error_code=30003, through=running.url)
    running.settle()

    assert "30003" in (running.reply_of(message).error or "")
    assert len(running.twilio.sent_to(contact)) == 1, "an undelivered reply is not sent again"


def test_a_repeated_webhook_gets_no_second_answer(running: System, llmock: LLMock) -> None:
    contact = running.contact()
    sid = "SM" + "1" * 32

    for _ in range(3):
        running.write("Oi", sender=contact, sid=sid)
    running.settle()
    running.write("Oi", sender=contact, sid=sid)  # late, too: the first is long answered
    running.settle()

    assert len(running.twilio.sent_to(contact)) == 1
    assert len(llmock.requests) == 1


def test_the_model_is_shown_what_was_said_before(running: System, llmock: LLMock) -> None:
    contact = running.contact()
    for text, answer in (("Oi", "Olá!"), ("Tudo bem?", "Tudo.")):
        llmock.reply(answer)
        running.write(text, sender=contact)
        running.settle()

    prompt = llmock.last_request.body["messages"]
    assert [(line["role"], line["content"]) for line in prompt[1:]] == [
        ("user", "Oi"),
        ("assistant", "Olá!"),
        ("user", "Tudo bem?"),
    ]


def test_an_opt_out_is_not_answered(running: System, llmock: LLMock) -> None:
    contact = running.contact("")
    parameters = running.parameters("STOP", sender=contact, to=SMS_ADDRESS) | {"OptOutType": "STOP"}

    assert running.webhook(parameters).status_code == 200
    running.settle()

    assert running.twilio.sent_to(contact) == []
    assert llmock.requests == []
