"""What another party says of when to come back: seconds, a date, or nonsense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from actors.retry_after import LONGEST_MS, retry_after_ms

#: Values that are made of what real ones are made of.
ALIKE = st.text(
    st.sampled_from("0123456789.,:;-+eE² \tGMTUCinfaJSudyW١"),
    max_size=60,
)

#: Dates of which no field has to be possible.
IMPOSSIBLE = st.builds(
    "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT".format,
    st.sampled_from(["Sun", "Wed", "Xyz"]),
    st.integers(0, 99),
    st.sampled_from(["Feb", "Nov", "feb", "Abc"]),
    st.integers(0, 9999),
    *[st.integers(0, 99)] * 3,
)


@given(st.text() | ALIKE | IMPOSSIBLE | st.floats().map(str) | st.integers().map(str))
@example("²")
@example("9" * 5_000)
@example("0." + "9" * 5_000)
@example("1e400")
@example("inf")
@example("nan")
@example("-5")
@example("")
@example(",")
@example(".")
@example("١٢٠")
@example("Sun, 06 Nov 0000 08:49:37 GMT")
@example("Fri, 31 Dec 9999 23:59:60 GMT")
@example("Tue, 31 Feb 2026 08:49:37 GMT")
def test_no_value_raises_or_asks_for_an_endless_or_negative_pause(value: str) -> None:
    pause_ms = retry_after_ms(value)

    assert pause_ms is None or 0 <= pause_ms <= LONGEST_MS


@pytest.mark.parametrize(
    ("value", "pause_ms"),
    [
        ("0", 0),
        ("30", 30_000),
        (" 30 ", 30_000),
        ("0030", 30_000),
        ("0.25", 250),
        ("1.5", 1_500),
        ("2.", 2_000),
        (".5", 500),
        ("0.0004999", 0),
        ("86400", 86_400_000),
        ("90000", 90_000_000),
        ("9" * 5_000, LONGEST_MS),
        ("0" * 5_000 + "30", 30_000),
        pytest.param("0" * 1_000_000 + "x", None, id="would take hours in quadratic time"),
        ("30, 120", 120_000),
        ("30,30", 30_000),
    ],
)
def test_seconds_are_read(value: str, pause_ms: int) -> None:
    assert retry_after_ms(value) == pause_ms


@pytest.mark.parametrize(
    "value", [None, "", " ", "soon", "²", "١٢٠", "-5", "+5", "1e3", "1e400", "inf", "nan", "0x10", "5, soon"]
)
def test_nonsense_is_no_pause(value: str | None) -> None:
    assert retry_after_ms(value) is None


def test_a_date_is_read() -> None:
    pause_ms = retry_after_ms(format_datetime(datetime.now(UTC) + timedelta(minutes=10), usegmt=True))

    assert pause_ms is not None
    assert 500_000 < pause_ms <= 600_000


@pytest.mark.parametrize("form", ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y"])
def test_a_date_may_have_its_older_forms_and_is_in_gmt(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/Sao_Paulo")
    pause_ms = retry_after_ms((datetime.now(UTC) + timedelta(minutes=10)).strftime(form))

    assert pause_ms is not None
    assert 500_000 < pause_ms <= 600_000


@pytest.mark.parametrize(
    ("value", "pause_ms"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Wed, 01 Jan 1930 00:00:00 GMT", 0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 0),
        ("Sun Nov  6 08:49:37 1994", 0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_MS),
    ],
)
def test_a_date_long_ago_means_now_and_one_far_away_is_cut(value: str, pause_ms: int) -> None:
    assert retry_after_ms(value) == pause_ms
