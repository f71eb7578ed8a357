"""What is masked, and what is left to be read."""

from __future__ import annotations

import pytest

from api.dashboard.rendering.masking import mask, mask_address, mask_text

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
        "+55\u201111\u201190000\u20111234",
        "+55/11/90000/1234",
        "+55_11_90000_1234",
        "_5511900001234_",
        "+55 (11) 90000\u20131234",
        "+55\u00a011\u202f90000\u22121234",
        "+55\u200b11\u200e90000\u206012\ufeff34",
        "[+55] [11] 90000 1234",
        "55*11*90000*1234",
        "55,11,90000,1234",
        "Tel.-5511900001234",
        "tel5511900001234",
        "5511900001234x",
        "-5511900001234",
        "\uff0b\uff15\uff1511900001234",
    ],
)
def test_numbers_in_a_text_are_masked(written: str) -> None:
    masked = mask_text(f"Me liga: {written}, por favor")

    assert masked.startswith("Me liga: ")
    assert masked.endswith(", por favor")
    assert sum(character.isdigit() for character in masked) <= 4


@pytest.mark.parametrize(
    "address",
    [
        "maria.silva@example.com",
        "m+recado@mail.example.com.br",
        "MARIA_SILVA@example.com",
        "joão@exemplo.com",
    ],
)
def test_e_mail_addresses_in_a_text_are_masked(address: str) -> None:
    assert mask_text(f"Escreve para <{address}>.") == f"Escreve para <{address[0]}•••@•••>."
    assert mask({"Body": f"{address}, por favor"}) == {"Body": f"{address[0]}•••@•••, por favor"}


@pytest.mark.parametrize("name", ["message", "page", "meta", "format", "language", "valid", "Body"])
def test_a_name_that_only_ends_like_that_of_an_id_is_masked(name: str) -> None:
    assert mask({name: f"Me liga: {NUMBER}"}) == {name: f"Me liga: {MASKED}"}


@pytest.mark.parametrize(
    "name", ["message_timestamp", "max_age", "eta", "ttl", "started_at", "reply_id", "MessageSid"]
)
def test_ids_and_times_stay(name: str) -> None:
    assert mask({name: 1_700_000_000_000}) == {name: 1_700_000_000_000}


@pytest.mark.parametrize(
    "text",
    [
        "look@this",
        "R$ 1.234,56 em 2026",
        "No domingo, das 9h às 13h",
        "12:30 de 24/11",
        "SM0123456789abcdef0123456789abcdef",
        "AC00000000000000000000000000000000.SM11111111111111111111111111111111",
        "12345678-1234-5678-9012-123456789012",
        "trace 4bf92f3577b34da6a3ce929d00000000",
        "R$ 1.234,56, 2 vezes",
        "1,5 kg, 20, 30",
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
