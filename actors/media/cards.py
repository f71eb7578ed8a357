"""Contact cards as text."""

from __future__ import annotations

import quopri
import re
from collections.abc import Iterator
from typing import NamedTuple

#: How much of a file is read, in bytes: pictures of contacts come after that, or are left out.
MAX_BYTES = 64 * 1024

#: How many cards of a file are shown, how many numbers and e-mail addresses of one, and how many characters
#: of each of these.
MAX_CARDS, MAX_VALUES, MAX_VALUE = 5, 5, 100

#: What is shown.
_SHOWN = ("FN", "ORG", "TEL", "EMAIL")


class _Line(NamedTuple):
    """A line of a card, with its continuations."""

    name: str
    value: str


def read_cards(data: bytes) -> str | None:
    """Say what contact cards say: names, numbers, e-mail addresses. None when there is no card in it.

    Parameters:
      data: vCards of version 2.1, 3.0 or 4.0 (RFC 6350).
    """
    cards: list[list[_Line]] = []
    for line in _lines(data[:MAX_BYTES]):
        if (line.name, line.value.upper()) == ("BEGIN", "VCARD"):
            cards.append([])
        elif cards:
            cards[-1].append(line)
    texts = [text for card in cards if (text := _text(card))]
    if not texts:
        return None
    return "; ".join(texts[:MAX_CARDS]) + (
        f"; and {len(texts) - MAX_CARDS} more" if texts[MAX_CARDS:] else ""
    )


def _text(card: list[_Line]) -> str:
    values = {
        name: [text for line in card if line.name == name and (text := _plain(line.value))] for name in _SHOWN
    }
    # Version 2.1 may do without the name as it is written; its parts are family and given name.
    names = values["FN"] or [" ".join(reversed(_parts(line.value)[:2])) for line in card if line.name == "N"]
    shown = [*names[:1], *values["ORG"][:1], *values["TEL"][:MAX_VALUES], *values["EMAIL"][:MAX_VALUES]]
    return ", ".join(value[:MAX_VALUE] for value in shown if value)


def _lines(data: bytes) -> Iterator[_Line]:
    text = re.sub(r"\r\n?", "\n", data.decode(errors="replace"))
    text = re.sub(r"=\n(?![A-Z-]+[;:])", "", text)  # a line of quoted-printable goes on
    for line in re.sub(r"\n[ \t]", "", text).split("\n"):
        head, _, value = line.partition(":")
        name, *parameters = head.split(";")
        if any(parameter.upper().endswith("QUOTED-PRINTABLE") for parameter in parameters):
            value = quopri.decodestring(value.encode()).decode(errors="replace")
        yield _Line(name.rpartition(".")[2].strip().upper(), value.strip())


def _parts(value: str) -> list[str]:
    return [_plain(part) for part in re.split(r"(?<!\\);", value)]


def _plain(value: str) -> str:
    """Return a value without escapes, a scheme, and the signs that would end what a model is shown."""
    unescaped = re.sub(
        r"\\(.)|;",
        lambda found: " " if found[1] is None or found[1] in "nN" else found[1],
        value.removeprefix("tel:").removeprefix("mailto:"),
    )
    return " ".join(re.sub(r"[\[\]\x00-\x1f]", " ", unescaped).split())
