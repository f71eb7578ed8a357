"""What a notice says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from .events import EVENTS, EventName

#: How many occurrences of an event a notice tells one by one. The others are counted.
MOST_TOLD = 10

#: How much of a customer's text a notice quotes, in characters, where NOTIFY_TEXTS allows it.
MOST_QUOTED = 200


class Occurrence(NamedTuple):
    """An event that happened, as a notice tells it.

    Attributes:
      event: which one.
      contact: the contact, masked; None where it concerns no single one.
      why: why it happened, in words of Recado's own.
      quote: what the customer, or the model, said. Only with NOTIFY_TEXTS.
      link: where to look at it.
    """

    event: EventName
    contact: str | None = None
    why: str | None = None
    quote: str | None = None
    link: str | None = None


class Notice(NamedTuple):
    """What people are told at once."""

    title: str
    text: str


def masked_contact(address: str) -> str:
    """Hide an address but for its channel and its last four digits.

    >>> masked_contact("whatsapp:+5511900001234")
    'whatsapp …1234'
    """
    channel, _, name = address.rpartition(":")
    digits = "".join(re.findall(r"\d", name))
    return f"{channel} …{digits[-4:] if len(digits) > 6 else ''}".strip()


def without_addresses(text: str) -> str:
    """Hide the addresses of people in a text, such as an error that names the number it is about.

    >>> without_addresses("'+5511900001234' is no valid number")
    "'…1234' is no valid number"
    """
    return re.sub(r"\+?\d{3,}(\d{4})\b", r"…\1", re.sub(r"[^\s@'\"<>:]+@[^\s'\"<>]+", "…", text))


def shortened(text: str) -> str:
    """Cut a text to what a notice quotes."""
    return text if len(text) <= MOST_QUOTED else text[: MOST_QUOTED - 1] + "…"


def worded(occurrences: Sequence[Occurrence]) -> Notice:
    """Put events into one notice, by their kinds, each kind in the order given.

    Parameters:
      occurrences: at least one.
    """
    by_event = [
        (name, told) for name in EVENTS if (told := [each for each in occurrences if each.event == name])
    ]
    paragraphs = [_paragraph(name, told) for name, told in by_event]
    if len(by_event) > 1:
        return Notice(f"Recado: {len(occurrences)} things to look at", "\n\n".join(paragraphs))
    title, _, rest = paragraphs[0].partition("\n")
    return Notice(title, rest)


def _paragraph(name: EventName, told: Sequence[Occurrence]) -> str:
    event = EVENTS[name]
    title = event.title if len(told) == 1 else f"{event.title} ({len(told)} times)"
    lines = [line for each in told[:MOST_TOLD] if (line := _line(each))]
    if more := len(told) - MOST_TOLD if len(told) > MOST_TOLD else 0:
        lines.append(f"- and {more} more: see the dashboard")
    return "\n".join([title, event.text, *lines])


def _line(each: Occurrence) -> str:
    said = [*filter(None, (each.contact, each.why)), *([f'"{each.quote}"'] if each.quote else [])]
    line = ": ".join(said)
    if each.link:
        line = f"{line} {each.link}".strip()
    return f"- {line}" if line else ""
