"""When quiet hours are, and when they end."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from actors.notices.quiet_hours import QuietHours


def at_ms(when: str, zone: str) -> int:
    return int(datetime.fromisoformat(when).replace(tzinfo=ZoneInfo(zone)).timestamp() * 1_000)


@pytest.mark.parametrize(
    ("hours", "now", "end"),
    [
        ("22:00-07:00", "2026-11-28T21:59", None),
        ("22:00-07:00", "2026-11-28T22:00", "2026-11-29T07:00"),
        ("22:00-07:00", "2026-11-28T23:59", "2026-11-29T07:00"),
        ("22:00-07:00", "2026-11-29T00:00", "2026-11-29T07:00"),
        ("22:00-07:00", "2026-11-29T06:59", "2026-11-29T07:00"),
        ("22:00-07:00", "2026-11-29T07:00", None),
        ("12:00-13:30", "2026-11-28T12:15", "2026-11-28T13:30"),
        ("12:00-13:30", "2026-11-28T13:30", None),
        ("12:00-13:30", "2026-11-28T11:59", None),
        ("08:00-08:00", "2026-11-28T08:00", None),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "America/Sao_Paulo"])
def test_the_hours_go_by_their_time_zone(hours: str, now: str, end: str | None, zone: str) -> None:
    found = QuietHours.read(hours, zone).end_after(at_ms(now, zone))
    assert found == (None if end is None else at_ms(end, zone))


def test_a_night_in_which_the_clock_is_put_forward_is_an_hour_shorter() -> None:
    quiet = QuietHours.read("22:00-07:00", "Europe/Lisbon")
    began = at_ms("2026-03-28T22:00", "Europe/Lisbon")

    assert quiet.end_after(began) == began + 8 * 3_600_000


@pytest.mark.parametrize("when", ["2026-10-25T00:30", "2026-10-25T01:15", "2026-10-25T01:45"])
def test_an_hour_that_there_is_twice_ends_after_it_began(when: str) -> None:
    quiet = QuietHours.read("00:00-01:30", "Europe/Lisbon")
    now = at_ms(when, "Europe/Lisbon")
    second = int(
        datetime.fromisoformat(when).replace(tzinfo=ZoneInfo("Europe/Lisbon"), fold=1).timestamp() * 1_000
    )

    for moment in (now, second):
        end = quiet.end_after(moment)
        assert end is None or end > moment
