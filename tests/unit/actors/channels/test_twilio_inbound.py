"""Twilio's parameters, made sense of."""

from __future__ import annotations

import json
from typing import Any

import pytest

from actors.channels import InboundMessage, InvalidMessage
from actors.channels.twilio import inbound
from actors.channels.twilio.delivery import is_status_callback
from actors.conversation import Button, Media
from actors.masking import masked

NEEDED = {"MessageSid": "SM1", "AccountSid": "AC1", "From": "+5511900001234", "To": "+15005550006"}


def read(**parameters: Any) -> InboundMessage:
    return inbound.read(NEEDED | parameters)


@pytest.mark.parametrize("value", ["", None, [], [None], {"a": 1}, True])
@pytest.mark.parametrize("name", list(NEEDED))
def test_what_is_missing_is_named(name: str, value: Any) -> None:
    parameters = NEEDED | {name: value}
    if value is None:
        del parameters[name]

    with pytest.raises(InvalidMessage, match=name):
        inbound.read(parameters)


@pytest.mark.parametrize(
    ("parameters", "body"),
    [
        ({"Body": "Oi"}, "Oi"),
        ({"Body": "", "ButtonText": "Sim"}, "Sim"),
        ({"Body": ["Oi", "Olá"]}, "Oi"),
        ({}, "[empty message]"),
        (
            {"Body": "Veja", "NumMedia": "2", "MediaContentType0": "image/png"},
            "Veja\n[picture: image/png]\n[media: unknown type]",
        ),
        ({"Latitude": "-23.5", "Longitude": "-46.6"}, "[location: -23.5, -46.6]"),
        ({"Body": "Oi", "NumMedia": "²"}, "Oi"),
        ({"Body": "Oi", "NumMedia": "9" * 5000}, "Oi"),
        ({"Body": "Oi", "NumMedia": "-1"}, "Oi"),
        ({"Body": 5}, "5"),
        ({"Body": None}, "[empty message]"),
        ({"Body": {"a": 1}}, "[empty message]"),
        ({"Body": [["Oi"]]}, "[empty message]"),
    ],
)
def test_what_was_said(parameters: dict[str, Any], body: str) -> None:
    assert read(**parameters).text == body


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        ({"ButtonText": "Sim", "ButtonPayload": "yes"}, "Sim\n[chose: Sim, id yes]"),
        ({"ButtonPayload": "yes"}, "yes"),
        (
            {"ListTitle": "Plano B", "ListId": "b", "ListDescription": "R$ 49"},
            "Plano B\n[chose: Plano B, id b]\n[described as: R$ 49]",
        ),
        (
            {"InteractiveData": '{"screen": {"nome": "Ana", "idade": 30, "aceita": true}}'},
            "[form: screen.nome: Ana; screen.idade: 30; screen.aceita: True]",
        ),
        ({"InteractiveData": "no JSON"}, "[form: no JSON]"),
        ({"InteractiveData": r'{"half \ud83d": "of a \ud83d\udc4b \udc4b"}'}, "[form: half ?: of a 👋 ?]"),
        ({"NumMedia": "1", "MediaContentType0": "audio/ogg"}, "[voice note: audio/ogg]"),
        ({"NumMedia": "1", "MediaContentType0": "text/vcard"}, "[contact card]"),
        ({"NumMedia": "1", "MediaContentType0": "application/pdf"}, "[document: application/pdf]"),
        (
            {"Latitude": "-23.5", "Longitude": "-46.6", "Label": "Loja", "Address": "Rua A, 1"},
            "[location: Loja, Rua A, 1 (-23.5, -46.6)]",
        ),
        (
            {"Body": "Oi", "ReferralHeadline": "50% off", "ReferralBody": "Só hoje"},
            "Oi\n[came from an advertisement: 50% off / Só hoje]",
        ),
        ({"Body": "Veja", "Forwarded": "true"}, "Veja\n[forwarded from another chat]"),
    ],
)
def test_whatever_changes_the_meaning_is_text(parameters: dict[str, str], text: str) -> None:
    assert read(**parameters).text == text


def test_what_a_form_holds_is_bounded() -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    wide = json.dumps({f"field{number}": "x" * 9_000 for number in range(100)})

    assert len(read(InteractiveData=deep).text) < 2_000
    assert len(read(InteractiveData=wide).text) < 20 * 600


def test_what_was_chosen_is_data_too() -> None:
    chosen = read(Body="Plano B", ListTitle="Plano B", ListId="b")
    assert chosen.button == Button("Plano B", "b")
    assert read(ProfileName="Ana").contact.name == "Ana"
    assert read(OriginalRepliedMessageSid="SM9").reply_to == "SM9"
    [media] = read(NumMedia="1", MediaContentType0="image/jpeg", MediaUrl0="https://x/1").media
    assert media == Media("image/jpeg", "https://x/1")


@pytest.mark.parametrize("sender", ["72975", "BANCO", "+15005550006"])
def test_some_senders_take_no_answer(sender: str) -> None:
    assert read(From=sender).takes_no_answer


@pytest.mark.parametrize(
    "sender", ["+5511900001234", "whatsapp:US.1234", "messenger:123", "rcs:+5511900001234"]
)
def test_customers_take_an_answer(sender: str) -> None:
    assert not read(From=sender).takes_no_answer


@pytest.mark.parametrize(
    ("parameters", "is_one"),
    [
        ({"MessageStatus": "delivered"}, True),
        ({"SmsStatus": "sent"}, True),
        ({"SmsStatus": "received"}, False),
        ({"SmsStatus": "Sent", "Body": "Oi"}, True),
        ({"SmsStatus": ""}, False),
        ({}, False),
        ({"MessageStatus": "a new one"}, True),
        ({"SmsStatus": "a new one", "Body": ""}, False),
    ],
)
def test_a_status_callback_is_no_message(parameters: dict[str, str], is_one: bool) -> None:
    assert is_status_callback(NEEDED | parameters) is is_one


def test_no_message_has_a_billion_attachments() -> None:
    assert read(NumMedia="999999999").text.count("[media") == 10


def test_a_contact_needs_no_phone_number() -> None:
    assert read(From="whatsapp:US.1234").contact.address == "whatsapp:US.1234"


def test_a_conversation_is_one_contact_at_one_address_of_one_account() -> None:
    others = ({"From": "+5511900009999"}, {"To": "+15005550009"}, {"AccountSid": "AC2"})

    assert read(Body="Oi").conversation == read(Body="Tchau", MessageSid="SM2").conversation
    assert len({read(**other).conversation for other in ({}, *others)}) == 4


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("whatsapp:+5511900001234", "whatsapp:+55•••••••34"),
        ("+5511900001234", "+55•••••••34"),
        ("whatsapp:US.1234", "whatsapp:US•••34"),
    ],
)
def test_an_address_is_masked(address: str, shown: str) -> None:
    assert masked(address) == shown


def test_a_representation_shows_no_payload() -> None:
    assert "secret parameter" not in repr(read(Anything="secret parameter"))


@pytest.mark.parametrize(
    ("sender", "body", "keyword", "is_twilios"),
    [
        ("+5511900001234", "STOP", "stop", True),
        ("+5511900001234", " stop. ", "stop", True),
        ("+5511900001234", "Unsubscribe", "stop", True),
        ("+5511900001234", "HELP", "help", True),
        ("+5511900001234", "start", "start", True),
        ("+5511900001234", "PARAR", "stop", False),
        ("+5511900001234", "ajuda", "help", False),
        ("whatsapp:+5511900001234", "Sair", "stop", False),
        ("whatsapp:+5511900001234", "VOLTAR", "start", False),
        ("whatsapp:+5511900001234", "YES", None, False),
        ("whatsapp:+5511900001234", "CANCEL", None, False),
        ("whatsapp:+5511900001234", "END", None, False),
        ("+5511900001234", "please stop the noise", None, False),
    ],
)
def test_a_whole_message_may_be_a_keyword(
    sender: str, body: str, keyword: str | None, is_twilios: bool
) -> None:
    message = read(From=sender, Body=body)
    assert (message.keyword, message.is_answered_by_channel) == (keyword, is_twilios)


def test_what_twilio_marks_is_a_keyword_whatever_it_says() -> None:
    message = read(From="whatsapp:+5511900001234", Body="basta", OptOutType="STOP")
    assert (message.keyword, message.is_answered_by_channel) == ("stop", True)
