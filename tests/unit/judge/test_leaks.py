"""What grows is told from what goes up and down."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from tests.judge.leaks import Growth, growths_of


def grown(name: str, value: Callable[[float], float]) -> Growth:
    """The growth of one series, over ten minutes."""
    [growth] = growths_of([(at_s, {name: value(at_s)}) for at_s in range(0, 600, 5)])
    return growth


def test_a_descriptor_that_is_never_closed_is_a_leak() -> None:
    growth = grown("worker: descriptors", lambda at_s: 30 + at_s / 10)
    assert growth.is_leak
    assert growth.per_hour == pytest.approx(360)


@pytest.mark.parametrize(
    "value",
    [lambda _: 30.0, lambda at_s: 30 + 5 * math.sin(at_s / 20), lambda at_s: 60 - at_s / 20],
    ids=["flat", "up and down", "less and less"],
)
def test_what_does_not_grow_is_none(value: Callable[[float], float]) -> None:
    assert not grown("worker: descriptors", value).is_leak


def test_what_fills_up_at_first_is_none() -> None:
    assert not grown("api: memory, MB", lambda at_s: min(120.0, 60 + at_s)).is_leak


def test_what_is_kept_of_conversations_may_grow() -> None:
    growth = grown("databases, MB", lambda at_s: at_s)
    assert not growth.is_leak
    assert growth.per_hour == pytest.approx(3_600)


def test_a_process_that_is_away_for_a_while_is_none() -> None:
    samples = [(float(at_s), {"api: threads": 10.0} if at_s % 50 else {}) for at_s in range(0, 600, 5)]
    [growth] = growths_of(samples)
    assert (growth.first, growth.last, growth.per_hour) == (10, 10, 0)
