"""Twilio's parameters, made sense of."""

from __future__ import annotations

from typing import Any

import pytest

from actors.channels import InboundMessage, InvalidMessage
from actors.channels.twilio import inbound
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
            "Veja\n[media: image/png]\n[media: unknown type]",
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
