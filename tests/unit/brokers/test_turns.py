"""When a commit may begin, while others are going on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from brokers.turns import OneByOne, Paced, Turns
from tests.support.messages import PATIENCE_S
from tests.support.waiting import eventually


def no_turn_in_time(turns: Turns) -> bool:
    """Whether a turn is still being waited for; it is taken, and given back, before this returns."""
    began = threading.Event()

    def take() -> None:
        turns.begin()
        began.set()
        turns.end()

    waiter = threading.Thread(target=take)
    waiter.start()
    waited = not began.wait(0.2)
    turns.end()
    waiter.join(PATIENCE_S)
    return waited


@pytest.mark.parametrize("turns", [OneByOne(), Paced(pace_s=60.0, at_once=3)])
def test_the_next_begins_when_the_one_before_has_ended(turns: Turns) -> None:
    turns.begin()
    assert not turns.try_begin()
    assert no_turn_in_time(turns)
    assert turns.try_begin()
    turns.end()
    turns.await_all()


def test_who_is_slow_is_not_waited_for() -> None:
    turns = Paced(pace_s=0.01, at_once=3)
    with ThreadPoolExecutor() as pool:
        for _ in range(3):
            pool.submit(turns.begin).result(PATIENCE_S)
        assert not turns.try_begin(), "alone is alone"
        assert no_turn_in_time(turns), "three are as many as there may be"
        for _ in range(2):
            turns.end()
        pool.submit(turns.await_all).result(PATIENCE_S)


def test_an_end_is_noticed_at_once() -> None:
    turns = Paced(pace_s=60.0, at_once=2)
    turns.begin()
    with ThreadPoolExecutor() as pool:
        next_one = pool.submit(turns.begin)
        turns.end()
        next_one.result(PATIENCE_S)
        turns.end()
        eventually(lambda: pool.submit(turns.await_all).done)
