"""When an address is open, and since when it is closed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from .opening import OpenTime

#: What happens to a message of closed hours: its contact is sent a text, or the assistant answers as ever.
ClosedMode = Literal["text", "assistant"]

#: The days to look back for the end of the last opening. It may have been the only one of its week, and that
#: of the week after it may have fallen into an hour that the clock left out.
_LOOK_BACK_DAYS = 16


@dataclass(frozen=True, slots=True)
class OpeningHours:
    """The hours of an address.

    A time that the clock on the wall shows twice, or not at all, on the day on which summer time begins or
    ends is read as RFC 5545, section 3.3.5, reads it: the first of the two; or as if the clock had not been
    changed yet.

    Attributes:
      timezone: where the clock on the wall is.
      openings: in each week.
      closed_dates: days on which no opening begins.
      closed_mode: what happens to a message of closed hours.
      closed_text: what its contact is sent then.
    """

    timezone: ZoneInfo
    openings: tuple[OpenTime, ...]
    closed_dates: frozenset[date] = frozenset()
    closed_mode: ClosedMode = "text"
    closed_text: str = ""

    def closed_since(self, at_ms: int) -> int | None:
        """Return since when the address is closed at a time, which names that closed period; None when open.

        It is 0 when the address never opened before.

        Parameters:
          at_ms: the time, in milliseconds since the epoch, as the time returned.
        """
        latest = 0
        for opens_at, closes_at in self._around(at_ms):
            if opens_at <= at_ms < closes_at:
                return None
            if closes_at <= at_ms:
                latest = max(latest, closes_at)
        return latest

    def _around(self, at_ms: int) -> Iterator[tuple[int, int]]:
        """Yield all openings among which the one before a time is, as milliseconds since the epoch."""
        today = datetime.fromtimestamp(at_ms / 1000, self.timezone).date()
        back = _LOOK_BACK_DAYS + 7 * len(self.closed_dates)  # each may be the only day of its week that opens
        for offset in range(-back, 2):
            day = today + timedelta(days=offset)
            if day in self.closed_dates:
                continue
            for opening in self.openings:
                if opening.weekday != day.weekday():
                    continue
                opens_at, closes_at = self._at_ms(day, opening.opens), self._at_ms(day, opening.closes)
                if opens_at < closes_at:  # not one that fell into the hour that was left out
                    yield opens_at, closes_at

    def _at_ms(self, day: date, minutes: int) -> int:
        """Return when the clock on the wall shows a time of a day, in milliseconds since the epoch."""
        shown = datetime.combine(day, time()) + timedelta(minutes=minutes)
        return int(shown.replace(tzinfo=self.timezone).timestamp() * 1000)
