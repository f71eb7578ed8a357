"""Reads times as requests give them: a period back from now, or a date and time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from brokers.clock import now_ms

from ..language.catalogue import translatable
from ..page_request import PageRequest


class Period(NamedTuple):
    """A time back from now that can be chosen: its length in milliseconds, and its name for people."""

    length_ms: int
    label: str


#: Periods by the value that forms and links send.
PERIODS: Mapping[str, Period] = {
    "15m": Period(900_000, translatable("last 15 minutes")),
    "1h": Period(3_600_000, translatable("last hour")),
    "24h": Period(86_400_000, translatable("last day")),
    "7d": Period(604_800_000, translatable("last week")),
}


def since_ms(request: PageRequest) -> int | None:
    """Return when the chosen period began, or the typed moment; None where there is neither."""
    since = request.get("since")
    if since in PERIODS:
        return now_ms() - PERIODS[since].length_ms
    return moment_ms(since)


def moment_ms(text: str) -> int | None:
    """Read a date and time, of UTC unless it has an offset; return milliseconds since the epoch, or None."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
