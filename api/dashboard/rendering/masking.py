"""Hides whom a message is from, and leaves readable what it says."""

from __future__ import annotations

import re
from typing import Any

from actors.masking import masked

#: What people and programs put between the digits of a number, for a class of a regular expression: spaces,
#: brackets, dots, commas, stars, slashes, underscores, every dash, and characters that are not seen at all.
SEPARATORS = (
    r"\s()\[\].,*/_\-\u00b7\u2022\u2010-\u2015\u2043\u2212\ufe58\ufe63\uff0d"
    r"\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff"
)

#: Runs of digits that may be somebody's number: at least eight digits, perhaps with separators between them;
#: and e-mail addresses. What stands before and after does not matter: people write "tel5511..." too. Ids are
#: tried first, so that a part of one is not taken for a number.
_FOUND = re.compile(
    r"(?P<id>\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|\b[A-Za-z]{2}[0-9a-fA-F]{32}\b"
    r"|\b(?=\d*[a-f])(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64})\b)"
    r"|(?P<mail>[^\W_][\w.%+'-]{0,63}@[\w-]{1,63}(?:\.[\w-]{1,63})+)"
    rf"|(?P<number>[+\uff0b]?\(?\d(?:[{SEPARATORS}]{{0,3}}\d){{7,}})"
)

#: A number that stands alone.
_IS_NUMBER = re.compile(rf"[+\uff0b]?[\d{SEPARATORS}]{{5,}}")

#: Parameters that name a person, and those that name a place, whatever they look like.
_PERSONS = frozenset(
    {"author", "contact", "externaluserid", "from", "name", "phone", "profilename", "sender", "to", "waid"}
)
_PLACES = frozenset(
    {"address", "city", "country", "fromcity", "fromcountry", "fromstate", "fromzip", "latitude", "longitude"}
)

#: Fields that hold ids and times, long digits among them: by the last word of their name.
_HARMLESS = re.compile(
    r"(sid|version|(^|_)(id|at|timestamp|eta|retries|delay|limit|age|backoff|ttl))$", re.IGNORECASE
)

#: Digits of a number that is none in a text: shorter ones are years and prices.
_LEAST_DIGITS = 8


def mask_text(text: str) -> str:
    """Return a text with the numbers and e-mail addresses in it masked."""
    return _FOUND.sub(_masked, text)


def mask_address(address: str) -> str:
    """Mask an address: a number as numbers are masked; of anything else all but its beginning is hidden."""
    channel, colon, name = address.rpartition(":")
    hidden = _masked_number(name) if _IS_NUMBER.fullmatch(name) else _hidden(name)
    return channel + colon + hidden


def mask(value: Any, *, name: str = "") -> Any:
    """Mask everything in a JSON value by which a person could be called or found.

    Parameters:
      value: a payload, or a part of one.
      name: the field it is in.
    """
    if isinstance(value, dict):
        return {key: mask(part, name=str(key)) for key, part in value.items()}
    if isinstance(value, list):
        return [mask(part, name=name) for part in value]
    return value if _HARMLESS.search(name) or isinstance(value, bool) else _masked_value(value, name)


def _masked_value(value: Any, name: str) -> Any:
    if name.lower() in _PERSONS and value not in ("", None):
        return mask_address(str(value))
    if name.lower() in _PLACES and value not in ("", None):
        return _hidden(str(value))
    if isinstance(value, str):
        return mask_text(value)
    is_long = isinstance(value, int | float) and _digits(value) >= _LEAST_DIGITS
    return masked(str(value)) if is_long else value


def _masked(found: re.Match[str]) -> str:
    if found["mail"]:
        return _hidden(found["mail"]) + "@•••"
    return found["id"] or _masked_number(found["number"])


def _digits(number: float) -> int:
    return sum(character.isdigit() for character in str(number))


def _masked_number(number: str) -> str:
    return masked(re.sub(r"[^\d+]", "", number))


def _hidden(text: str) -> str:
    return text[:1] + "•••" * bool(text)
