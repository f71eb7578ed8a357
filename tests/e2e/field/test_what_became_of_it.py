"""What Twilio tells of a reply that it accepted, and what it does not tell."""

from __future__ import annotations

import pytest

from tests.fakes.twilio import Message
from tests.support.waiting import eventually

from .conftest import Shop


def report(shop: Shop, message: Message, status: str, code: int | None = None) -> None:
    told = shop.system.twilio.report(message, status, through=shop.system.url, error_code=code)
    assert told.status_code == 200


@pytest.mark.parametrize("code", [30001, 30022, 63018])
def test_a_reply_that_a_limit_kept_from_the_customer_is_sent_again(shop: Shop, code: int) -> None:
    contact = shop.system.contact()
    shop.send(contact, "Oi")
    [first] = shop.system.twilio.sent_to(contact)

    report(shop, first, "undelivered", code)
    eventually(lambda: len(shop.got(contact)) == 2)
    report(shop, first, "undelivered", code)  # repeated: it is about the sending before
    shop.system.settle()

    assert shop.got(contact) == ["Olá!", "Olá!"]
    _, again = shop.system.twilio.sent_to(contact)
    reply = shop.system.reply_of(again)
    assert (reply.state, reply.external_id) == ("sent", again.sid)


@pytest.mark.parametrize("code", [30007, 30008, 63016])
def test_a_reply_that_never_arrived_is_shown_to_a_person_and_not_to_the_model(shop: Shop, code: int) -> None:
    contact = shop.system.contact()
    shop.model.says = "Custa R$ 10."
    shop.send(contact, "Quanto custa?")
    [lost] = shop.system.twilio.sent_to(contact)

    report(shop, lost, "undelivered", code)
    shop.system.settle()
    [entry] = shop.attention(contact)
    shop.send(contact, "Alô?")

    assert (entry.entry_id, entry.state) == (shop.system.reply_of(lost).reply_id, "undelivered")
    assert str(code) in (entry.error or "")
    said = [each["content"] for each in shop.model.asked[-1]["messages"] if each["role"] != "system"]
    assert said == ["Quanto custa?", "Alô?"], "the customer has not read the answer"
    assert len(shop.got(contact)) == 2, "it is not sent again by itself"


def test_a_customer_who_opted_out_by_callback_is_left_alone(shop: Shop) -> None:
    contact = shop.system.contact("")
    shop.send(contact, "Oi")
    [message] = shop.system.twilio.sent_to(contact)

    report(shop, message, "undelivered", 21610)
    shop.system.settle()
    shop.send(contact, "Alguém aí?")

    assert len(shop.model.asked) == len(shop.got(contact)) == 1
    assert (shop.system.dead_letters(), shop.attention(contact)) == ([], [])
    [summary] = shop.system.conversations.reader.conversations(contact=contact)
    assert summary.mode == "nobody"


def test_twilio_is_told_to_repeat_callbacks_that_do_not_get_through(shop: Shop) -> None:
    contact = shop.system.contact()

    shop.send(contact, "Oi")

    [message] = shop.system.twilio.sent_to(contact)
    overrides = (message.status_callback or "").partition("#")[2].split("&")
    assert {"rc=5", "rp=all"} <= set(overrides)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("Custa R$ 10.", "Sent from your Twilio trial account - Custa R$ 10."),
        ('O "plano B" — o melhor…', 'O "plano B" - o melhor...'),
    ],
)
def test_a_reply_whose_text_twilio_changed_is_found_and_not_sent_again(
    shop: Shop, said: str, kept: str
) -> None:
    contact = shop.system.contact()
    shop.model.says = said
    shop.system.twilio.changes = {said: kept}.__getitem__
    shop.system.twilio.fail(500, stores=True)

    shop.send(contact, "Oi")

    assert shop.got(contact) == [kept]
    [message] = shop.system.twilio.sent_to(contact)
    assert shop.system.reply_of(message).state == "sent"
    assert shop.system.dead_letters() == []
