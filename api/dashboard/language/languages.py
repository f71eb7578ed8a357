"""Holds the languages of the dashboard, and chooses one for a request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class Language:
    """Holds how a language writes.

    Attributes:
      tag: names it, as browsers do.
      name: what its speakers call it.
      thousands, decimal: separate the digits of numbers.
      day: writes a date, for `strftime`.
    """

    tag: str
    name: str
    thousands: str
    decimal: str
    day: str

    def number(self, text: str) -> str:
        """Write a number that Python wrote."""
        return text.translate({ord(","): self.thousands, ord("."): self.decimal})

    def date(self, moment: date) -> str:
        """Write a date."""
        return moment.strftime(self.day)


#: The language of the code, which has no catalogue.
ENGLISH = Language("en", "English", thousands=",", decimal=".", day="%Y-%m-%d")

#: The languages that can be chosen, by their tags. The setting DASHBOARD_LANGUAGE takes the same.
LANGUAGES: Mapping[str, Language] = {
    each.tag: each
    for each in (ENGLISH, Language("pt-BR", "Português", thousands=".", decimal=",", day="%d/%m/%Y"))
}

#: What a browser's language begins with, for each language that it means here.
_BY_PREFIX: Mapping[str, Language] = {tag.partition("-")[0]: each for tag, each in LANGUAGES.items()}

#: The cookie of a browser in which a language was chosen, and how long it is good, in seconds: a year.
LANGUAGE_COOKIE = "recado_language"
LANGUAGE_S = 365 * 86_400

#: The longest list of languages that is read, in characters. Browsers send less than a hundred.
_LONGEST = 500

_current: ContextVar[Language] = ContextVar("dashboard_language", default=ENGLISH)


def current() -> Language:
    """Return the language of the page that is being made."""
    return _current.get()


@contextmanager
def use(language: Language) -> Iterator[None]:
    """Have pages that are made inside in a language."""
    token = _current.set(language)
    try:
        yield
    finally:
        _current.reset(token)


def language_for(*, cookie: str | None, setting: str, accepted: str) -> Language:
    """Choose the language of a page: the one that was picked, or the setting's, or the browser's.

    Parameters:
      cookie: the tag that was picked in this browser.
      setting: a tag, or `auto`.
      accepted: the header Accept-Language.
    """
    picked = LANGUAGES.get(cookie or "") or LANGUAGES.get(setting)
    return picked or _accepted(accepted[:_LONGEST]) or ENGLISH


def _accepted(header: str) -> Language | None:
    """Return the first language here among those of a browser, the most wanted first."""
    wanted: list[tuple[float, Language]] = []
    for part in header.split(","):
        tag, _, weight = part.replace(" ", "").partition(";")
        language = _BY_PREFIX.get(tag.partition("-")[0].lower())
        quality = float(weight[2:]) if re.fullmatch(r"q=[01](\.[0-9]{1,3})?", weight) else 1.0
        if language is not None and quality > 0:
            wanted.append((-quality, language))
    return min(wanted, key=lambda each: each[0], default=(0.0, None))[1]
