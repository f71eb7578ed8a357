"""Whom a number names, and which messages are about them."""

from __future__ import annotations

import json

import pytest

from actors.privacy import Person

NUMBER = "+5511900001234"
MARIA = Person.read(NUMBER)


@pytest.mark.parametrize(
    "written",
    [
        NUMBER,
        "5511900001234",
        "+55 11 90000-1234",
        "+55 (11) 90000.1234",
        "whatsapp:+5511900001234",
        "rcs:+5511900001234",
        " whatsapp:+55 11 90000-1234 ",
    ],
)
def test_a_number_is_read_as_people_and_channels_write_it(written: str) -> None:
    assert Person.read(written) == MARIA


@pytest.mark.parametrize("nobody", ["", "  ", "+", "whatsapp:", "whatsapp:+", "()-"])
def test_what_names_nobody_is_refused(nobody: str) -> None:
    with pytest.raises(ValueError, match="is no number"):
        Person.read(nobody)


@pytest.mark.parametrize(
    ("address", "is_theirs"),
    [
        ("+5511900001234", True),
        ("5511900001234", True),
        ("whatsapp:+5511900001234", True),
        ("rcs:+5511900001234", True),
        ("messenger:5511900001234", True),
        ("+551190001234", False),  # without Brazil's ninth digit: somebody else, perhaps
        ("+55119000012345", False),
        ("+1511900001234", False),
        ("", False),
    ],
)
def test_only_the_very_same_number_is_theirs(address: str, is_theirs: bool) -> None:
    assert MARIA.has(address) is is_theirs


def test_a_name_of_another_channel_names_somebody_too() -> None:
    assert Person.read("chat:maria-7").has("chat:maria-7")
    assert not Person.read("chat:maria-7").has("chat:maria-77")
    assert not Person.read("chat:maria-7").is_number


def test_a_person_has_all_names_that_are_known() -> None:
    maria = MARIA.known_as(["whatsapp:BR.13491208655302741918", "+5511900001234"])

    assert maria.has("whatsapp:BR.13491208655302741918")
    assert maria.has("whatsapp:+5511900001234")
    assert not maria.has("whatsapp:BR.134912086553027419180")
    assert maria.occurs_in("from BR.13491208655302741918")
    text = maria.hidden_in("of +5511900001234, now BR.13491208655302741918", by="…")
    assert text == "of …, now …"


def test_a_number_is_found_in_a_text_and_not_in_a_longer_one() -> None:
    assert MARIA.occurs_in("text=5511900001234&page=2")
    assert MARIA.occurs_in("%2B5511900001234")
    assert not MARIA.occurs_in("55119000012345")
    assert not MARIA.occurs_in("95511900001234")
    assert MARIA.hidden_in("of +5511900001234, twice: 5511900001234", by="…") == "of …, twice: …"
    assert "900001234" not in MARIA.masked
    assert not Person.read("12345").occurs_in("12345 that were picked"), "too short to be anybody's for sure"


def message(*arguments: object, actor: str = "send_receipt") -> bytes:
    return json.dumps({"actor_name": actor, "args": arguments, "kwargs": {}, "options": {}}).encode()


@pytest.mark.parametrize(
    ("payload", "is_theirs"),
    [
        (message({"order": 7, "phone": NUMBER}), True),
        (message({"deep": [{"to": "whatsapp:+5511900001234"}]}), True),
        (message(NUMBER), True),
        (message({"phone": "+5511900005678"}), False),
        (message({"phone": "+5511900005678", "Body": NUMBER}), False),  # somebody else wrote their number
        (message(f"call {NUMBER}"), False),
        (b"\x00 no message 5511900001234", True),  # no worker can run it
        (b"\x00 no message 5511900005678", False),
    ],
)
def test_a_message_of_any_actor_is_theirs_that_names_them(payload: bytes, is_theirs: bool) -> None:
    assert MARIA.is_meant_by(payload) is is_theirs
