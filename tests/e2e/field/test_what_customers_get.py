"""What a customer gets is whole, in time, under the right account, and nothing that cannot be sent."""

from __future__ import annotations

import pytest

from tests.e2e.conftest import FALLBACK

from .conftest import BLANK, OLDER, Shop

#: In sentences, and longer than one message may be.
LONG = " ".join(f"Esta é a frase {number:02d} de uma resposta longa." for number in range(56))


def test_a_long_answer_arrives_whole_and_in_order(shop: Shop) -> None:
    contact = shop.system.contact()
    shop.model.says = LONG

    shop.send(contact, "Conte tudo")

    parts = shop.got(contact)
    assert len(parts) == 2
    assert " ".join(parts) == LONG
    assert max(map(len, parts)) <= 1_600
    assert parts[0].endswith("."), "it is split where a sentence ends"


def test_an_answer_leaves_twilio_in_time_or_not_at_all(shop: Shop) -> None:
    contact = shop.system.contact()
    shop.send(contact, "Oi")
    waited = shop.system.parameters("Alô?", sender=contact)
    shop.system.enqueue("messages", "process_ai_response", waited, age_ms=3_000_000)
    shop.system.settle()

    at_once, late = shop.system.twilio.sent_to(contact)
    assert 3_500 < (at_once.validity_s or 0) <= 3_600, "MESSAGE_MAX_AGE_MS"
    assert 500 < (late.validity_s or 0) <= 600, "what is left of it"


def test_a_subaccounts_customer_is_answered_under_the_subaccount(shop: Shop) -> None:
    contact = shop.system.contact()

    shop.send(contact, "Oi", AccountSid=shop.subaccount.sid)

    assert shop.subaccount.bodies_to(contact) == ["Olá!"]
    assert [send.authorised for send in shop.subaccount.sends] == [True]
    assert shop.system.twilio.sends == []


def test_an_account_that_forbids_its_token_is_called_with_an_api_key(shop: Shop) -> None:
    contact = shop.system.contact()
    assert not shop.system.twilio.takes_token

    shop.send(contact, "Oi")

    assert shop.got(contact) == ["Olá!"]
    assert [send.authorised for send in shop.system.twilio.sends] == [True]


@pytest.mark.parametrize("asked", ["nothing", "blanks"])
def test_a_responder_that_answers_blanks_gets_the_customer_the_fallback_text(shop: Shop, asked: str) -> None:
    contact = shop.system.contact()

    shop.send(contact, asked, To=BLANK)

    assert shop.got(contact) == [FALLBACK]
    assert len(shop.system.twilio.sends) == 1, "Twilio was not asked to send blanks"
    [letter] = shop.system.dead_letters()
    assert (letter.actor, "without a word" in (letter.last_error or "")) == ("process_ai_response", True)


def test_a_model_of_today_is_asked_in_the_words_that_it_takes(shop: Shop) -> None:
    contact = shop.system.contact()
    shop.model.limit_name = "max_completion_tokens"

    shop.send(contact, "Oi")

    assert shop.got(contact) == ["Olá!"]
    assert len(shop.model.asked) == 1


def test_an_older_endpoint_is_asked_in_its_words_and_refuses_once(shop: Shop) -> None:
    contact = shop.system.contact()
    shop.model.limit_name = "max_tokens"

    for _ in range(2):
        shop.send(contact, "Oi", To=OLDER)

    assert shop.got(contact) == ["Olá!", "Olá!"]
    assert ["max_tokens" in asked for asked in shop.model.asked] == [False, True, True]
    assert shop.model.asked[-1]["temperature"] == 0.3
    assert shop.system.dead_letters() == []
