"""What a notice says, and what it never says."""

from __future__ import annotations

import pytest

from actors.notices.events import EVENTS
from actors.notices.wording import (
    MOST_QUOTED,
    MOST_TOLD,
    Occurrence,
    masked_contact,
    shortened,
    without_addresses,
    worded,
)


@pytest.mark.parametrize("event", EVENTS)
def test_one_event_has_its_title_as_the_headline(event: str) -> None:
    notice = worded([Occurrence(event, "whatsapp …1234", "why", link="https://r/c")])  # type: ignore[arg-type]

    assert notice.title == EVENTS[event].title  # type: ignore[index]
    assert notice.text == f"{EVENTS[event].text}\n- whatsapp …1234: why https://r/c"  # type: ignore[index]


def test_several_events_of_a_kind_are_counted() -> None:
    notice = worded([Occurrence("no_answer", f"…{number:04}") for number in range(MOST_TOLD + 3)])

    assert notice.title == f"No answer could be produced ({MOST_TOLD + 3} times)"
    lines = notice.text.splitlines()
    assert len(lines) == 1 + MOST_TOLD + 1
    assert lines[-1] == "- and 3 more: see the dashboard"


def test_several_kinds_stand_below_each_other_in_the_order_of_the_table() -> None:
    notice = worded([Occurrence("reply_failed", "…1"), Occurrence("not_working", why="no worker runs")])

    assert notice.title == "Recado: 2 things to look at"
    assert notice.text.split("\n\n") == [
        f"{EVENTS['not_working'].title}\n{EVENTS['not_working'].text}\n- no worker runs",
        f"{EVENTS['reply_failed'].title}\n{EVENTS['reply_failed'].text}\n- …1",
    ]


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("whatsapp:+5511900001234", "whatsapp …1234"),
        ("+15005550006", "…0006"),
        ("messenger:9876543210", "messenger …3210"),
        ("rcs:someone@example.com", "rcs …"),
        ("12345", "…"),
    ],
)
def test_of_a_contact_the_last_four_digits_are_shown(address: str, shown: str) -> None:
    assert masked_contact(address) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("The 'To' number +5511900001234 is not valid", "The 'To' number …1234 is not valid"),
        ("whatsapp:+15005550006 again", "whatsapp:…0006 again"),
        ("to=%2B15005550006", "to=%2B…0006"),
        ("ask ana@example.com", "ask …"),
        (
            "Twilio's error 63016, see https://www.twilio.com/docs/errors/63016",
            "Twilio's error 63016, see https://www.twilio.com/docs/errors/63016",
        ),
    ],
)
def test_an_errors_addresses_are_hidden(text: str, shown: str) -> None:
    assert without_addresses(text) == shown


def test_a_long_quote_is_cut() -> None:
    assert shortened("a" * (MOST_QUOTED + 1)) == "a" * (MOST_QUOTED - 1) + "…"
    assert shortened("a" * MOST_QUOTED) == "a" * MOST_QUOTED
