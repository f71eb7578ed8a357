"""When a commit may begin, while others are going on."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from brokers.commit_slots import CommitSlots, PacedSlots, SingleSlot
from tests.support.messages import PATIENCE_S
from tests.support.waiting import eventually


def no_slot_in_time(slots: CommitSlots) -> bool:
    """Whether a turn is still being waited for; it is taken, and given back, before this returns."""
    began = threading.Event()

    def take() -> None:
        slots.acquire()
        began.set()
        slots.release()

    waiter = threading.Thread(target=take)
    waiter.start()
    waited = not began.wait(0.2)
    slots.release()
    waiter.join(PATIENCE_S)
    return waited


@pytest.mark.parametrize("slots", [SingleSlot(), PacedSlots(pace_s=60.0, at_once=3)])
def test_the_next_begins_when_the_one_before_has_ended(slots: CommitSlots) -> None:
    slots.acquire()
    assert not slots.try_acquire()
    assert no_slot_in_time(slots)
    assert slots.try_acquire()
    slots.release()
    slots.wait_idle()


def test_who_is_slow_is_not_waited_for() -> None:
    slots = PacedSlots(pace_s=0.01, at_once=3)
    with ThreadPoolExecutor() as pool:
        for _ in range(3):
            pool.submit(slots.acquire).result(PATIENCE_S)
        assert not slots.try_acquire(), "alone is alone"
        assert no_slot_in_time(slots), "three are as many as there may be"
        for _ in range(2):
            slots.release()
        pool.submit(slots.wait_idle).result(PATIENCE_S)


def test_an_end_is_noticed_at_once() -> None:
    slots = PacedSlots(pace_s=60.0, at_once=2)
    slots.acquire()
    with ThreadPoolExecutor() as pool:
        next_one = pool.submit(slots.acquire)
        slots.release()
        next_one.result(PATIENCE_S)
        slots.release()
        eventually(lambda: pool.submit(slots.wait_idle).done)
