"""When an address is open: days, nights, closed dates, and the days on which the clock is changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.profiles import OpeningHours
from actors.profiles.opening import DAY_MINUTES, WEEKDAYS, OpenTime, read_openings

SAO_PAULO, NEW_YORK = ZoneInfo("America/Sao_Paulo"), ZoneInfo("America/New_York")


def hours(*entries: str, timezone: ZoneInfo = SAO_PAULO, closed: tuple[date, ...] = ()) -> OpeningHours:
    openings = tuple(opening for entry in entries for opening in read_openings(entry))
    return OpeningHours(timezone, openings, frozenset(closed), closed_text="Fechado")


def ms(text: str, timezone: ZoneInfo = SAO_PAULO, *, fold: int = 0) -> int:
    """A time by the clock on the wall, in milliseconds since the epoch."""
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone, fold=fold).timestamp() * 1000)


def is_open(of: OpeningHours, text: str, timezone: ZoneInfo = SAO_PAULO, *, fold: int = 0) -> bool:
    return of.closed_since(ms(text, timezone, fold=fold)) is None


# -- how hours are written -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "openings"),
    [
        ("sat 09:00-13:00", [(5, 540, 780)]),
        ("Sat 09:00-13:00", [(5, 540, 780)]),
        ("mon,wed 09:00-10:00", [(0, 540, 600), (2, 540, 600)]),
        ("sat-mon 09:00-10:00", [(5, 540, 600), (6, 540, 600), (0, 540, 600)]),
        ("mon-mon 09:00-10:00", [(0, 540, 600)]),
        ("mon 09:00-12:00,13:00-18:00", [(0, 540, 720), (0, 780, 1080)]),
        ("fri 22:00-02:00", [(4, 1320, 1560)]),
        ("fri 22:00-24:00", [(4, 1320, 1440)]),
        ("fri 22:00-00:00", [(4, 1320, 1440)]),
        ("sun 00:00-24:00", [(6, 0, 1440)]),
    ],
)
def test_what_is_read(entry: str, openings: list[tuple[int, int, int]]) -> None:
    assert list(read_openings(entry)) == [OpenTime(*each) for each in openings]


def test_every_day_of_a_range() -> None:
    assert [each.weekday for each in read_openings("mon-sun 00:00-24:00")] == list(range(7))


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ("", "is not opening hours"),
        ("mon", "is not opening hours"),
        ("09:00-18:00", "is not opening hours"),
        ("mon 9:00-18:00", "is not opening hours"),
        ("mon 09:00 - 18:00", "is not opening hours"),
        ("mon 09:00-18:00,", "is not opening hours"),
        ("monday 09:00-18:00", "'monday' is no day"),
        ("mon- 09:00-18:00", "'' is no day"),
        ("mon-fri-sat 09:00-18:00", "'fri-sat' is no day"),
        ("seg 09:00-18:00", "'seg' is no day"),
        ("mon 24:00-24:00", "no clock shows"),
        ("mon 09:60-10:00", "no clock shows"),
        ("mon 09:00-24:01", "no clock shows"),
        ("mon 25:00-26:00", "no clock shows"),
        ("mon 09:00-09:00", "lasts no time"),
    ],
)
def test_what_is_refused(entry: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        read_openings(entry)


# -- open or closed ------------------------------------------------------------------------------------

#: 30 November 2026 is a Monday.


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-11-30 08:59:59.999", False),
        ("2026-11-30 09:00", True),
        ("2026-11-30 17:59:59.999", True),
        ("2026-11-30 18:00", False),
        ("2026-12-05 12:59", True),
        ("2026-12-05 13:00", False),
        ("2026-12-06 10:00", False),
    ],
)
def test_days(at: str, expected: bool) -> None:
    assert is_open(hours("mon-fri 09:00-18:00", "sat 09:00-13:00"), at) is expected


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-12-04 21:59", False),
        ("2026-12-04 22:00", True),
        ("2026-12-05 00:00", True),
        ("2026-12-05 01:59", True),
        ("2026-12-05 02:00", False),
        ("2026-12-04 01:00", False),  # Thursday's night is none
    ],
)
def test_nights(at: str, expected: bool) -> None:
    assert is_open(hours("fri 22:00-02:00"), at) is expected


def test_a_night_of_sunday_ends_on_monday() -> None:
    assert is_open(hours("sun 22:00-02:00"), "2026-11-30 01:00")


def test_the_whole_week_is_never_closed() -> None:
    always = hours("mon-sun 00:00-24:00")
    assert all(is_open(always, f"2026-11-{day} 00:00") for day in range(20, 31))


def test_on_a_closed_date_no_opening_begins() -> None:
    closed = hours("mon-sun 20:00-02:00", closed=(date(2026, 12, 25),))

    assert is_open(closed, "2026-12-25 01:00"), "the night of Christmas Eve goes on"
    assert not is_open(closed, "2026-12-25 21:00")
    assert not is_open(closed, "2026-12-26 01:00")
    assert closed.closed_since(ms("2026-12-26 01:00")) == ms("2026-12-25 02:00")


def test_a_closed_period_is_named_by_its_beginning() -> None:
    weekly = hours("mon-fri 09:00-12:00,13:00-18:00")

    assert weekly.closed_since(ms("2026-11-30 12:30")) == ms("2026-11-30 12:00")
    friday = ms("2026-11-27 18:00")
    assert weekly.closed_since(ms("2026-11-27 18:00")) == friday
    assert weekly.closed_since(ms("2026-11-30 08:59")) == friday


def test_a_period_that_is_longer_than_a_week() -> None:
    mondays = hours("mon 09:00-10:00", closed=(date(2026, 11, 30), date(2026, 12, 7)))

    assert mondays.closed_since(ms("2026-12-14 08:00")) == ms("2026-11-23 10:00")


def test_a_period_after_a_week_whose_opening_fell_into_the_hour_that_is_left_out() -> None:
    sundays = hours("sun 02:30-03:15", timezone=NEW_YORK)

    first = ms("2026-03-01 03:15", NEW_YORK)
    assert {sundays.closed_since(ms(f"2026-03-{day:02} 12:00", NEW_YORK)) for day in range(1, 15)} == {first}


# -- summer time ---------------------------------------------------------------------------------------


def test_an_opening_keeps_the_hours_of_the_wall_on_both_sides_of_a_change() -> None:
    weekly = hours("mon-sun 09:00-18:00", timezone=NEW_YORK)
    for day in ("2026-03-07", "2026-03-08", "2026-03-09", "2026-10-31", "2026-11-01", "2026-11-02"):
        assert is_open(weekly, f"{day} 09:00", NEW_YORK)
        assert not is_open(weekly, f"{day} 08:59", NEW_YORK)
        assert is_open(weekly, f"{day} 17:59", NEW_YORK)
        assert not is_open(weekly, f"{day} 18:00", NEW_YORK)


def test_a_night_in_which_an_hour_is_left_out_is_shorter() -> None:
    """On 8 March 2026 New York's clocks went from 2:00 to 3:00."""
    night = hours("sat 22:00-04:00", timezone=NEW_YORK)

    opened, closed = ms("2026-03-07 22:00", NEW_YORK), ms("2026-03-08 04:00", NEW_YORK)
    assert closed - opened == 5 * 3_600_000
    assert night.closed_since(closed - 1) is None
    assert night.closed_since(closed) == closed


def test_a_time_that_is_left_out_is_read_as_if_the_clock_had_not_been_changed_yet() -> None:
    early = hours("sun 02:30-05:00", timezone=NEW_YORK)

    assert not is_open(early, "2026-03-08 03:29", NEW_YORK)
    assert is_open(early, "2026-03-08 03:30", NEW_YORK)


def test_an_opening_that_falls_into_the_hour_that_is_left_out_does_not_cut_a_closed_period() -> None:
    brief = hours("sun 02:30-03:15", "sat 09:00-18:00", timezone=NEW_YORK)

    assert brief.closed_since(ms("2026-03-08 12:00", NEW_YORK)) == ms("2026-03-07 18:00", NEW_YORK)


def test_a_time_that_is_shown_twice_is_the_first() -> None:
    """On 1 November 2026 New York's clocks go from 2:00 back to 1:00."""
    night = hours("sat 22:00-01:30", "sun 01:45-05:00", timezone=NEW_YORK)

    assert is_open(night, "2026-11-01 01:29", NEW_YORK)
    assert not is_open(night, "2026-11-01 01:30", NEW_YORK)
    assert is_open(night, "2026-11-01 01:45", NEW_YORK)
    assert is_open(night, "2026-11-01 01:30", NEW_YORK, fold=1)


# -- any hours -----------------------------------------------------------------------------------------

openings = st.builds(
    lambda day, opens, lasts: OpenTime(day, opens, opens + lasts),
    st.integers(0, 6),
    st.integers(0, DAY_MINUTES - 1),
    st.integers(1, DAY_MINUTES),
).filter(lambda each: each.closes - each.opens < DAY_MINUTES or each.opens == 0)

zones = st.sampled_from(
    ["UTC", "America/Sao_Paulo", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"]
)

any_hours = st.builds(
    lambda zone, openings, closed: OpeningHours(ZoneInfo(zone), tuple(openings), frozenset(closed)),
    zones,
    st.lists(openings, min_size=1, max_size=5),
    st.lists(st.dates(date(2026, 1, 1), date(2027, 1, 1)), max_size=3),
)

times = st.datetimes(datetime(2026, 2, 1), datetime(2026, 12, 31)).map(  # noqa: DTZ001  made aware next
    lambda at: int(at.replace(tzinfo=UTC).timestamp() * 1000)
)


@given(any_hours, times)
def test_a_closed_period_has_one_name_from_its_beginning_to_its_end(of: OpeningHours, at_ms: int) -> None:
    since = of.closed_since(at_ms)
    if since is None:
        return
    assert since <= at_ms
    assert of.closed_since(since) == since
    assert of.closed_since((since + at_ms) // 2) == since
    assert of.closed_since(since - 1) is None, "before it, the address was open"


@given(any_hours.filter(lambda of: of.timezone.key in {"UTC", "Asia/Kathmandu"}), times)
def test_where_the_clock_is_never_changed_it_is_open_as_the_wall_shows(of: OpeningHours, at_ms: int) -> None:
    local = datetime.fromtimestamp(at_ms / 1000, of.timezone)
    minute = (local.hour * 60 + local.minute) + (local.second + local.microsecond / 1e6) / 60
    yesterday = local.date() - timedelta(days=1)

    def begins(day: date, opening: OpenTime) -> bool:
        return WEEKDAYS[day.weekday()] == WEEKDAYS[opening.weekday] and day not in of.closed_dates

    shown = any(
        (begins(local.date(), each) and each.opens <= minute < each.closes)
        or (begins(yesterday, each) and each.opens <= minute + DAY_MINUTES < each.closes)
        for each in of.openings
    )
    assert (of.closed_since(at_ms) is None) is shown
