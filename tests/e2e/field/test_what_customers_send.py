"""Whatever changes the meaning of a customer's message reaches the model, as words."""

from __future__ import annotations

import base64
import json

import pytest

from tests.fakes.twilio import attached
from tests.support.system import SMS_ADDRESS

from .conftest import Shop

PICTURE = b"\xff\xd8\xff" + bytes(2_000)

CARD = b"BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ana Souza\r\nTEL:+5511900001111\r\nEND:VCARD\r\n"


def test_the_model_looks_at_a_picture(shop: Shop) -> None:
    contact = shop.system.contact()

    shop.send(contact, **attached(shop.system.twilio.attach(PICTURE, "image/jpeg")))

    text, picture = shop.model.asked[-1]["messages"][-1]["content"]
    assert text["text"] == "[picture: image/jpeg]"
    assert picture["image_url"]["url"].endswith(base64.b64encode(PICTURE).decode())
    assert shop.got(contact) == ["Olá!"]


def test_the_model_reads_what_a_voice_note_says(shop: Shop) -> None:
    contact = shop.system.contact()
    shop.model.hears = "quero dois pães"

    shop.send(contact, **attached(shop.system.twilio.attach(b"OggS", "audio/ogg")))

    assert shop.model.read() == '[voice note: "quero dois pães"]'
    assert shop.got(contact) == ["Olá!"]


def test_the_model_reads_whose_contact_card_it_is(shop: Shop) -> None:
    contact = shop.system.contact()

    shop.send(contact, **attached(shop.system.twilio.attach(CARD, "text/vcard")))

    assert "Ana Souza" in shop.model.read()
    assert "+5511900001111" in shop.model.read()
    assert shop.got(contact) == ["Olá!"]


@pytest.mark.parametrize(
    ("parameters", "read"),
    [
        pytest.param(
            {"ButtonText": "Plano B", "ButtonPayload": "plan-b", "MessageType": "button"},
            "Plano B\n[chose: Plano B, id plan-b]",
            id="button",
        ),
        pytest.param(
            {
                "ListTitle": "Terça, 15h",
                "ListId": "slot-7",
                "ListDescription": "com a Bia",
                "MessageType": "interactive",
            },
            "Terça, 15h\n[chose: Terça, 15h, id slot-7]\n[described as: com a Bia]",
            id="list",
        ),
        pytest.param(
            {"InteractiveData": json.dumps({"nome": "Ana", "tamanho": 38}), "MessageType": "interactive"},
            "[form: nome: Ana; tamanho: 38]",
            id="form",
        ),
    ],
)
def test_the_model_reads_what_was_chosen(shop: Shop, parameters: dict[str, str], read: str) -> None:
    contact = shop.system.contact()

    shop.send(contact, **parameters)

    assert shop.model.read() == read
    assert shop.got(contact) == ["Olá!"]


def test_a_form_that_never_ends_is_cut_short_and_answered(shop: Shop) -> None:
    contact = shop.system.contact()

    shop.send(contact, InteractiveData=json.dumps({f"campo-{n}": "x" * 600 for n in range(50)}))

    assert len(shop.model.read()) < 12_000
    assert shop.model.read().endswith("; ...]")
    assert shop.got(contact) == ["Olá!"]


def test_the_model_reads_which_place_was_shared(shop: Shop) -> None:
    contact = shop.system.contact()

    shop.send(contact, Latitude="-23.5", Longitude="-46.6", Label="Loja", Address="Rua A, 1")

    assert shop.model.read() == "[location: Loja, Rua A, 1 (-23.5, -46.6)]"
    assert shop.got(contact) == ["Olá!"]


def test_the_model_reads_which_offer_the_customer_means(shop: Shop) -> None:
    contact = shop.system.contact()
    for offer in ("Plano A: R$ 10.", "Plano B: R$ 20."):
        shop.model.says = offer
        shop.send(contact, "O que tem?")
    first, _ = shop.system.twilio.sent_to(contact)

    shop.send(contact, "Quero este", OriginalRepliedMessageSid=first.sid)

    assert shop.model.read() == '[in reply to: "Plano A: R$ 10."]\nQuero este'


def test_the_model_reads_which_advertisement_the_customer_came_from(shop: Shop) -> None:
    contact = shop.system.contact()

    shop.send(contact, "Tem?", ReferralHeadline="Bolo de cenoura", ReferralBody="Só hoje")

    assert shop.model.read() == "Tem?\n[came from an advertisement: Bolo de cenoura / Só hoje]"
    assert shop.got(contact) == ["Olá!"]


@pytest.mark.parametrize("sender", ["72975", "BANCO"])
def test_an_advertiser_is_recorded_and_not_answered(shop: Shop, sender: str) -> None:
    shop.send(sender, "Seu código é 123456", To=SMS_ADDRESS)

    assert (shop.model.asked, shop.system.twilio.sends, shop.system.dead_letters()) == ([], [], [])
    [summary] = shop.system.conversations.reader.conversations(contact=sender)
    assert (summary.text, summary.unanswered) == ("Seu código é 123456", 0)


def test_a_customer_who_hides_the_number_is_remembered_and_answered_there(shop: Shop) -> None:
    contact, hidden = shop.system.contact(), "whatsapp:BR.13491208655302741918"
    shop.send(contact, "Meu nome é Ana", ExternalUserId="BR.13491208655302741918")

    shop.send(hidden, "Como me chamo?", ExternalUserId="BR.13491208655302741918")

    said = [each["content"] for each in shop.model.asked[-1]["messages"] if each["role"] != "system"]
    assert said == ["Meu nome é Ana", "Olá!", "Como me chamo?"]
    assert (shop.got(contact), shop.got(hidden)) == (["Olá!"], ["Olá!"])
    found = shop.system.conversations.reader.conversations(contact=contact)
    assert len(found) == 1
    assert shop.system.conversations.reader.conversations(contact=hidden) == found
