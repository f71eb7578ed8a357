"""What is masked, and what is left to be read."""

from __future__ import annotations

import pytest

from api.dashboard.masking import mask, mask_address, mask_text

NUMBER = "+5511900001234"
MASKED = "+55•••••••34"


@pytest.mark.parametrize(
    "written",
    [
        NUMBER,
        "5511900001234",
        "+55 11 90000-1234",
        "(11) 90000-1234",
        "11 90000 1234",
        "11.90000.1234",
        "15005550006",
    ],
)
def test_numbers_in_a_text_are_masked(written: str) -> None:
    masked = mask_text(f"Me liga: {written}, por favor")

    assert masked.startswith("Me liga: ")
    assert masked.endswith(", por favor")
    assert sum(character.isdigit() for character in masked) <= 4


@pytest.mark.parametrize(
    "text",
    [
        "R$ 1.234,56 em 2026",
        "No domingo, das 9h às 13h",
        "12:30 de 24/11",
        "SM0123456789abcdef0123456789abcdef",
        "AC00000000000000000000000000000000.SM11111111111111111111111111111111",
        "12345678-1234-5678-9012-123456789012",
        "worker.py, line 560, in process_message",
        "",
    ],
)
def test_what_is_no_number_of_a_person_stays(text: str) -> None:
    assert mask_text(text) == text


def test_whom_a_message_is_from_is_masked_whatever_it_looks_like() -> None:
    assert mask_address(f"whatsapp:{NUMBER}") == f"whatsapp:{MASKED}"
    assert mask_address("Maria da Silva") == "M•••"
    assert mask_address("messenger:1") == "messenger:1•••"
    assert mask_address("") == ""


def test_a_webhook_is_masked_where_it_names_somebody() -> None:
    payload = {
        "AccountSid": "AC" + "0" * 32,
        "MessageSid": "SM" + "1" * 32,
        "Body": f"Oi! {NUMBER}",
        "From": f"whatsapp:{NUMBER}",
        "To": "whatsapp:+15005550006",
        "WaId": "5511900001234",
        "ProfileName": "Maria",
        "Latitude": "-23.5",
        "NumMedia": "0",
        "ButtonText": "Sim",
    }
    shown = mask(
        {"args": [payload], "message_timestamp": 1_700_000_000_000, "options": {"eta": 1_700_000_000_000}}
    )

    webhook = shown["args"][0]
    assert webhook["Body"] == f"Oi! {MASKED}"
    assert webhook["From"] == f"whatsapp:{MASKED}"
    assert webhook["WaId"] == "55•••••••34"
    assert (webhook["ProfileName"], webhook["Latitude"]) == ("M•••", "-•••")
    for name in ("AccountSid", "MessageSid", "NumMedia", "ButtonText"):
        assert webhook[name] == payload[name]
    assert shown["message_timestamp"] == 1_700_000_000_000
    assert shown["options"] == {"eta": 1_700_000_000_000}


def test_numbers_that_are_numbers_are_masked_too() -> None:
    assert mask({"customer": 5511900001234, "pieces": 12, "ok": True, "none": None, "list": [NUMBER, 3]}) == {
        "customer": "55•••••••34",
        "pieces": 12,
        "ok": True,
        "none": None,
        "list": [MASKED, 3],
    }
