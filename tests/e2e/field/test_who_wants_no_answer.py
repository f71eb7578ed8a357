"""Contacts who want no messages, and programs that answer everything."""

from __future__ import annotations

import re

import pytest

from .conftest import Shop


@pytest.mark.parametrize("keyword", ["STOP", "unsubscribe", "Help", "START", "Yes", "cancel", "END"])
def test_a_keyword_that_twilio_answers_itself_on_sms_is_not_answered_again(shop: Shop, keyword: str) -> None:
    """The webhook has no OptOutType: ordinary numbers send none, and Twilio refuses an answer with 21610."""
    contact = shop.system.contact("")

    shop.send(contact, keyword)

    assert (shop.model.asked, shop.system.twilio.sends, shop.system.dead_letters()) == ([], [], [])


@pytest.mark.parametrize("answer", ["YES", "CANCEL", "END"])
def test_a_customer_who_says_yes_on_whatsapp_is_answered(shop: Shop, answer: str) -> None:
    contact = shop.system.contact()

    shop.send(contact, answer)

    assert shop.model.read() == answer
    assert shop.got(contact) == ["Olá!"]


def test_a_customer_who_wrote_stop_is_asked_no_model_and_sent_nothing_until_start(shop: Shop) -> None:
    contact = shop.system.contact("")
    for text in ("STOP", "Alguém aí?"):
        shop.send(contact, text)
    assert (shop.model.asked, shop.system.twilio.sends) == ([], [])

    for text in ("START", "Oi"):
        shop.send(contact, text)

    assert shop.got(contact) == ["Olá!"]


def test_a_customer_whom_twilio_refuses_as_opted_out_is_shown_as_such_and_left_alone(shop: Shop) -> None:
    contact = shop.system.contact("")
    shop.system.twilio.refuse(400, 21610)

    for text in ("Oi", "Alguém aí?"):
        shop.send(contact, text)

    assert (len(shop.model.asked), len(shop.system.twilio.sends)) == (1, 1)
    assert shop.system.dead_letters() == []
    assert shop.attention(contact) == []
    [summary] = shop.system.conversations.reader.conversations(contact=contact)
    page = shop.system.http.get(f"{shop.system.url}/dashboard/conversations/{summary.message_id}")
    assert (page.status_code, "opted out" in page.text) == (200, True)


def test_a_program_that_always_says_the_same_is_left_to_a_person(shop: Shop) -> None:
    contact = shop.system.contact()

    for _ in range(12):
        shop.send(contact, "Obrigado por entrar em contato!")

    assert len(shop.model.asked) == len(shop.got(contact)) == 5, "CONTACT_SAME_TEXT_LIMIT"
    [summary] = shop.system.conversations.reader.conversations(contact=contact)
    assert (summary.mode, summary.unanswered) == ("person", 0)
    assert "the same text" in (summary.mode_reason or "")
    metrics = shop.system.http.get(f"{shop.system.url}/metrics").text
    assert re.search(r'recado_hand_overs_total\{asked_by="limit"\} [1-9]', metrics)


def test_a_program_that_answers_faster_than_people_type_is_left_to_a_person(shop: Shop) -> None:
    contact = shop.system.contact()

    for number in range(20):
        shop.send(contact, f"Seu chamado é o {number}")

    assert len(shop.got(contact)) < 12
    [summary] = shop.system.conversations.reader.conversations(contact=contact)
    assert (summary.mode, "may be a program" in (summary.mode_reason or "")) == ("person", True)
