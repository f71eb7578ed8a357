"""Contacts as people look for them: by name, or by a number in whatever form it is written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from types import ModuleType

from .conversations.search import ContactQuery, folded

#: A number, or a part of one, with what people put between digits: spaces, brackets, dots, slashes, every
#: dash, and characters that are not seen at all.
_NUMBER = re.compile(
    r"\+?[\d\s()\[\].,*/_\-\u2010-\u2015\u2212"
    r"\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]+"
)

#: Pairs of spellings of mobile numbers, which channels use side by side: with and without Brazil's ninth
#: digit, and the digit that Mexico and Argentina have after their country's code, or do not.
_OTHER_SPELLINGS = (
    (re.compile(r"^(55[1-9]\d)9(\d{8})$"), r"\1\2"),
    (re.compile(r"^(55[1-9]\d)([6-9]\d{7})$"), r"\g<1>9\2"),
    (re.compile(r"^521(\d{10})$"), r"52\1"),
    (re.compile(r"^52(\d{10})$"), r"521\1"),
    (re.compile(r"^549(\d{10})$"), r"54\1"),
    (re.compile(r"^54([1-8]\d{9})$"), r"549\1"),
)

#: The fewest digits that are looked for.
_LEAST_DIGITS = 3


def contact_query(text: str, *, region: str | None) -> ContactQuery:
    """Return what to look for where somebody writes a name or a number.

    Parameters:
      text: a number in any form, or a part of one; or a part of a name.
      region: in which numbers without their country's code are, such as `BR`; None for nowhere.
    """
    return ContactQuery(folded(text.strip()), _spellings(text, region))


def region_of(addresses: Iterable[str]) -> str | None:
    """Return the region of the first address that is a number of one; None where there is none."""
    numbers = (address.rpartition(":")[2] for address in addresses)
    return next((region for number in numbers if (region := _region(number))), None)


def _spellings(text: str, region: str | None) -> Sequence[str]:
    wanted = text.strip().rpartition(":")[2].strip()
    digits = re.sub(r"\D", "", wanted)
    if not _NUMBER.fullmatch(wanted) or len(digits) < _LEAST_DIGITS:
        return ()
    found = [*_whole(wanted, region), digits.removeprefix("00")]
    others = [
        pattern.sub(other, number)
        for number in found
        for pattern, other in _OTHER_SPELLINGS
        if pattern.match(number)
    ]
    return list(dict.fromkeys([*found, *others]))


def _whole(wanted: str, region: str | None) -> Sequence[str]:
    """Return the digits of a whole number with its country's code, where it is one."""
    library = _library()
    try:
        number = library.parse(wanted, region)
    except library.NumberParseException:
        return ()
    if not library.is_possible_number(number):
        return ()
    return (library.format_number(number, library.PhoneNumberFormat.E164).lstrip("+"),)


@cache
def _region(number: str) -> str | None:
    if not number.startswith("+"):
        return None
    library = _library()
    try:
        return library.region_code_for_number(library.parse(number))  # type: ignore[no-any-return]
    except library.NumberParseException:
        return None


def _library() -> ModuleType:
    # With the first number that is searched for: it takes some megabytes.
    import phonenumbers  # noqa: PLC0415

    return phonenumbers
