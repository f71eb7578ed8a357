"""The hours in which people are told only what cannot wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo
from typing import Self
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class QuietHours:
    """From a time of the day to another, perhaps of the next day.

    Attributes:
      begin, end: times of the day. The end is no part of them.
      zone: where.
    """

    begin: time
    end: time
    zone: tzinfo

    @classmethod
    def read(cls, hours: str, zone: str) -> Self:
        """Read them.

        Parameters:
          hours: such as `22:00-07:00`.
          zone: the IANA name of a time zone, such as `America/Sao_Paulo`.

        Raises:
          ValueError: those are no two times.
          ZoneInfoNotFoundError: there is no such zone.
        """
        begin, _, end = hours.partition("-")
        return cls(time.fromisoformat(begin), time.fromisoformat(end), ZoneInfo(zone))

    def end_after(self, now_ms: int) -> int | None:
        """Return when they end, in milliseconds since the epoch; None outside of them.

        Parameters:
          now_ms: the time, in milliseconds since the epoch.
        """
        now = datetime.fromtimestamp(now_ms / 1_000, self.zone)
        if self.begin <= self.end:
            is_quiet = self.begin <= now.time() < self.end
        else:
            is_quiet = now.time() >= self.begin or now.time() < self.end
        if not is_quiet:
            return None
        day = now.date() if now.time() < self.end else now.date() + timedelta(days=1)
        end = datetime.combine(day, self.end, self.zone)
        return max(
            int(end.timestamp() * 1_000), now_ms + 1
        )  # also where a clock that is put back has it twice
