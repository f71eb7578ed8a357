"""The Retry-After header, in which another party says when it wants to be asked again."""

from __future__ import annotations

import calendar
import re
from datetime import datetime

from brokers.clock import now_ms

#: The longest pause that is read out of a header, in milliseconds. A message's age limit cuts it further.
LONGEST_MS = 7 * 86_400_000

#: A number with more digits before its point is longer than that, and need not be computed.
_LONGEST_DIGITS = len(str(LONGEST_MS // 1_000))

#: What RFC 9110, section 10.2.3, has, and the fractions that endpoints send too. Digits are ASCII: `\d` and
#: `str.isdigit` take those of all alphabets, and superscripts. One repetition takes all digits before the
#: point: two in a row would try every way to share them out, in quadratic time, with the GIL held.
_SECONDS = re.compile(r"([0-9]*)(?:\.([0-9]*))?")

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_TIME = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"

#: The three forms of a date in RFC 9110, section 5.6.7: today's, that of RFC 850, and asctime's.
_DATES = (
    re.compile(
        rf"[A-Za-z]{{3}}, (?P<day>[0-9]{{1,2}}) (?P<month>[A-Za-z]{{3}}) (?P<year>[0-9]{{4}}) {_TIME} GMT"
    ),
    re.compile(
        rf"[A-Za-z]{{6,9}}, (?P<day>[0-9]{{2}})-(?P<month>[A-Za-z]{{3}})-(?P<year>[0-9]{{2}}) {_TIME} GMT"
    ),
    re.compile(
        rf"[A-Za-z]{{3}} (?P<month>[A-Za-z]{{3}}) (?P<day>[ 0-9][0-9]) {_TIME} (?P<year>[0-9]{{4}})",
    ),
)


def retry_after_ms(value: str | None) -> int | None:
    """Read a Retry-After header. Never raises, whatever the other party sent.

    Parameters:
      value: the header's value; several of them are joined with commas, as HTTP clients do.

    Returns the pause in milliseconds, between 0 and `LONGEST_MS`. None: there is no header, or it is no time,
    and the caller's own backoff has to do. Of several numbers the largest counts.
    """
    if value is None:
        return None
    text = value.strip(" \t")
    pauses_ms = [_seconds(part.strip(" \t")) for part in text.split(",")]
    if None not in pauses_ms:
        return max(pause_ms for pause_ms in pauses_ms if pause_ms is not None)
    at_ms = _date(text)
    return None if at_ms is None else min(max(0, at_ms - now_ms()), LONGEST_MS)


def _seconds(text: str) -> int | None:
    """Milliseconds, of a number of seconds."""
    found = _SECONDS.fullmatch(text)
    if found is None or not any(map(str.isdigit, text)):
        return None
    whole, fraction = found[1].lstrip("0"), found[2] or ""
    if len(whole) > _LONGEST_DIGITS:
        return LONGEST_MS
    return min(int(whole or "0") * 1_000 + int(f"{fraction:0<3.3}"), LONGEST_MS)


def _date(text: str) -> int | None:
    """Milliseconds since the epoch, of a date; before it they are negative."""
    for form in _DATES:
        if (found := form.fullmatch(text)) is not None and found["month"].title() in _MONTHS:
            month = _MONTHS.index(found["month"].title()) + 1
            day, hour, minute = (int(found[name]) for name in ("day", "hour", "minute"))
            second = min(int(found["second"]), 59)  # 60 is a leap second
            try:
                at = datetime(_year(found["year"]), month, day, hour, minute, second)  # noqa: DTZ001  in GMT
            except ValueError:  # such as the 31st of February
                return None
            return calendar.timegm(at.timetuple()) * 1_000
    return None


def _year(digits: str) -> int:
    """A year of four digits, or of two: then the one nearest, no more than 50 years ahead."""
    year = int(digits)
    if len(digits) == 4:
        return year
    this_year = int(now_ms() / 31_556_952_000) + 1970
    year += this_year // 100 * 100
    return year - 100 if year > this_year + 50 else year
