"""Translates texts into the language of the page that is being made.

The English text is the name of its translation. `make messages` writes the catalogues anew: `locale/` has one
for each language but English, as a `.po` file for translators and as the `.mo` file that is read here.
"""

from __future__ import annotations

import gettext as standard
from functools import cache
from pathlib import Path

from .languages import ENGLISH, current

LOCALE = Path(__file__).parent / "locale"
DOMAIN = "dashboard"


def translatable(text: str) -> str:
    """Return a text as it is, and mark it: the catalogues have it. It is translated where it is shown."""
    return text


def gettext(text: str, /, **values: object) -> str:
    """Translate a text, then put values in the places that it has in braces."""
    translation = plain(text)
    return translation.format(**values) if values else translation


def ngettext(one: str, several: str, number: int, /, **values: object) -> str:
    """Translate a text in the form for a number of things, then put values in its places.

    `{n}` is the place of the number, with its thousands separated.
    """
    return plural(one, several, number).format(n=current().number(f"{number:,}"), **values)


def plain(text: str, context: str = "") -> str:
    """Translate a text. Templates put in the values themselves.

    Parameters:
      text: the text.
      context: tells apart two meanings of one word.
    """
    if context:
        return _translations(current().tag).pgettext(context, text)
    return _translations(current().tag).gettext(text) if text else text


def plural(one: str, several: str, number: int) -> str:
    """Translate a text in the form for a number of things. Templates put in the values themselves."""
    return _translations(current().tag).ngettext(one, several, number)


@cache
def _translations(tag: str) -> standard.NullTranslations:
    if tag == ENGLISH.tag:
        return standard.NullTranslations()
    return standard.translation(DOMAIN, LOCALE, [tag.replace("-", "_")])
