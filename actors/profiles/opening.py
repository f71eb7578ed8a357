"""When a shop opens in each week, as people write it: `mon-fri 09:00-12:00,13:00-18:00`."""

from __future__ import annotations

import re
from typing import NamedTuple

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

DAY_MINUTES = 24 * 60

#: What an entry looks like, for errors.
FORM = "write days and times such as mon-fri 09:00-12:00,13:00-18:00"

_TIMES = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")


class OpenTime(NamedTuple):
    """One opening in each week, by the clock on the wall.

    Attributes:
      weekday: the day on which it begins, 0 for Monday.
      opens, closes: in minutes after the midnight with which that day begins. An opening that goes on after
        midnight closes at more than 1440.
    """

    weekday: int
    opens: int
    closes: int


def read_openings(entry: str) -> tuple[OpenTime, ...]:
    """Read one entry: days and ranges of days, then times, each separated by commas.

    Raises:
      ValueError: it cannot be read; the message says why.
    """
    parts = entry.lower().split()
    if len(parts) != 2:
        raise ValueError(f"{entry!r} is not opening hours: {FORM}")
    days = [day for named in parts[0].split(",") for day in _days(named)]
    times = [_times(named) for named in parts[1].split(",")]
    return tuple(OpenTime(day, *each) for day in days for each in times)


def _days(named: str) -> list[int]:
    """Read a day or a range of days, which may go over Sunday: `sat-mon`."""
    first, dash, last = named.partition("-")
    for day in (first, last) if dash else (first,):
        if day not in WEEKDAYS:
            raise ValueError(f"{day!r} is no day of the week: write one of {', '.join(WEEKDAYS)}")
    begin = WEEKDAYS.index(first)
    count = (WEEKDAYS.index(last or first) - begin) % 7 + 1
    return [(begin + offset) % 7 for offset in range(count)]


def _times(named: str) -> tuple[int, int]:
    """Read two times. The second is of the next day when it is not after the first."""
    match = _TIMES.fullmatch(named)
    if match is None:
        raise ValueError(f"{named!r} is not opening hours: {FORM}")
    hours_open, minutes_open, hours_close, minutes_close = map(int, match.groups())
    opens, closes = hours_open * 60 + minutes_open, hours_close * 60 + minutes_close
    if minutes_open > 59 or minutes_close > 59 or opens >= DAY_MINUTES or closes > DAY_MINUTES:
        raise ValueError(f"{named!r} has a time that no clock shows: 00:00 to 23:59, or 24:00 at the end")
    if opens == closes:
        raise ValueError(f"{named!r} lasts no time: write 00:00-24:00 for the whole day")
    return opens, closes if closes > opens else closes + DAY_MINUTES
