"""As many calls of a responder at a time as it takes."""

from __future__ import annotations

from contextlib import ExitStack, suppress

import pytest

from actors.responders import CallLimit, ResponderRefused, ResponderUnavailable
from actors.responders.limited import LONGEST_PAUSE_S


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limit(clock: Clock) -> CallLimit:
    return CallLimit(100, clock=clock)


def refuse(limit: CallLimit, *, others: int, delay: int | None = None) -> None:
    """One call is one too many beside so many others."""
    with ExitStack() as calls:
        for _ in range(others):
            calls.enter_context(limit.call())
        with suppress(ResponderUnavailable), limit.call():
            raise ResponderUnavailable("429", delay, overloaded=True)
        calls.pop_all()  # they stay in flight


def succeed(limit: CallLimit, count: int = 1) -> None:
    for _ in range(count):
        with limit.call():
            pass


def test_it_begins_with_the_most(limit: CallLimit) -> None:
    assert limit() == 100


def test_one_too_many_leaves_a_little_less_than_the_others(limit: CallLimit) -> None:
    refuse(limit, others=50)
    assert limit() == 45


def test_a_burst_of_refusals_leaves_what_was_taken(limit: CallLimit, clock: Clock) -> None:
    """100 at once, of which 20 are taken: the last of the 80 to be refused sees how many."""
    taken = [limit.call() for _ in range(20)]
    refused = [limit.call() for _ in range(80)]
    for call in [*taken, *refused]:
        call.__enter__()
    for call in refused:
        error = ResponderUnavailable("429", overloaded=True)
        assert not call.__exit__(ResponderUnavailable, error, None)
    assert limit() == 18


def test_at_least_one_call_goes_on(limit: CallLimit) -> None:
    refuse(limit, others=0)
    assert limit() == 1


def test_it_grows_by_one_in_the_time_of_one_call_at_first(limit: CallLimit) -> None:
    refuse(limit, others=50)
    succeed(limit, 46)
    assert limit() == 46


def test_it_grows_faster_the_longer_none_was_refused_and_never_beyond_the_most(
    limit: CallLimit, clock: Clock
) -> None:
    refuse(limit, others=10)
    clock.now_s += 120
    succeed(limit, 40)
    assert 20 < limit() < 40
    clock.now_s += 1000
    succeed(limit, 200)
    assert limit() == 100


def test_a_pause_that_one_call_is_asked_for_holds_for_all(limit: CallLimit, clock: Clock) -> None:
    refuse(limit, others=50, delay=2000)
    assert limit() == 0
    clock.now_s += 2
    assert limit() == 45


def test_no_answer_stops_all_calls_for_long(limit: CallLimit, clock: Clock) -> None:
    refuse(limit, others=50, delay=86_400_000)
    clock.now_s += LONGEST_PAUSE_S
    assert limit() == 45


def test_no_pause_takes_much_of_a_messages_time(clock: Clock) -> None:
    limit = CallLimit(100, max_age_ms=2_000, clock=clock)
    refuse(limit, others=50, delay=86_400_000)
    assert limit() == 0
    clock.now_s += 0.2
    assert limit() == 45


@pytest.mark.parametrize("error", [ResponderUnavailable("500"), ResponderRefused("400"), ValueError()])
def test_other_failures_change_nothing(limit: CallLimit, error: Exception) -> None:
    with pytest.raises(type(error)), limit.call():
        raise error
    assert limit() == 100
