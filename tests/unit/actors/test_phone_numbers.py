"""A number is found in whatever usual form it is written."""

from __future__ import annotations

import pytest

from actors.phone_numbers import contact_query, region_of


def finds(wanted: str, contact: str, region: str | None = "BR") -> bool:
    return any(number in contact for number in contact_query(wanted, region=region).numbers)


@pytest.mark.parametrize(
    "wanted",
    [
        "+5511900001234",
        "whatsapp:+5511900001234",
        "+55 (11) 90000-1234",
        "(11) 90000-1234",
        "011 90000-1234",
        "11 9 0000 1234",
        "0055 11 90000 1234",
        "55 11 90000‑1234",
        "90000-1234",
        "0000-1234",
        "1234",
    ],
)
def test_a_number_is_found_in_any_form(wanted: str) -> None:
    assert finds(wanted, "whatsapp:+5511900001234")


@pytest.mark.parametrize(
    ("wanted", "contact"),
    [
        ("+55 11 98000-1234", "whatsapp:+551180001234"),
        ("+55 11 8000-1234", "whatsapp:+5511980001234"),
        ("(11) 98000-1234", "whatsapp:+551180001234"),
        ("+52 55 1234 5678", "whatsapp:+5215512345678"),
        ("+52 1 55 1234 5678", "whatsapp:+525512345678"),
        ("+54 11 2345 6789", "whatsapp:+5491123456789"),
    ],
)
def test_a_number_is_found_in_the_other_spelling_of_its_country(wanted: str, contact: str) -> None:
    assert finds(wanted, contact)


def test_a_national_number_needs_a_region() -> None:
    assert finds("(11) 3000-1234", "+551130001234")
    assert finds("030 00000000", "+493000000000", region="DE")
    assert not finds("030 00000000", "+493000000000", region=None)


@pytest.mark.parametrize("wanted", ["Maria", "12", "tel 5511900001234", "", "()", "maria@example.org"])
def test_what_is_no_number_is_none(wanted: str) -> None:
    assert contact_query(wanted, region="BR").numbers == ()


def test_a_name_is_folded() -> None:
    assert contact_query(" João ", region=None).name == "joao"


def test_the_region_is_that_of_our_own_numbers() -> None:
    assert region_of(["messenger:1", "whatsapp:+5511900000001"]) == "BR"
    assert region_of(["12345", "nonsense"]) is None
