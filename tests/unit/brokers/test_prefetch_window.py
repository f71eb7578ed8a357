"""How many messages a process holds: more of fast ones, few of slow ones."""

from __future__ import annotations

import threading

import pytest

from brokers.capacity import Capacity
from brokers.prefetch_window import HORIZON_S, MAX_HELD, PrefetchWindow
from tests.support.messages import PATIENCE_S

from .conftest import Time


def room(window: PrefetchWindow) -> int:
    return window.wait_for_room(0)


def run(
    window: PrefetchWindow, time: Time, *, per_s: int, for_s: float = 1.0, took_s: float | None = None
) -> None:
    """Claim and settle messages at a steady rate."""
    for _ in range(int(for_s / HORIZON_S)):
        count = int(per_s * HORIZON_S)
        room(window)
        while count:
            taken = window.take(count)
            window.settled(taken, took_s=took_s)
            count -= taken
        time.now_s += HORIZON_S


def test_at_first_it_is_one_for_each_thread(time: Time) -> None:
    assert room(PrefetchWindow(8)) == 8
    assert room(PrefetchWindow(0)) == 1


def test_what_is_held_takes_room(time: Time) -> None:
    window = PrefetchWindow(8)
    window.take(5)
    assert room(window) == 3
    window.take(3)
    assert room(window) == 0
    window.settled(2)
    assert room(window) == 2


def test_a_fast_queue_is_held_for_the_length_of_the_horizon(time: Time) -> None:
    window = PrefetchWindow(8)
    run(window, time, per_s=4_000)

    assert room(window) == pytest.approx(8 + 4_000 * HORIZON_S, rel=0.05)


def test_it_never_holds_more_than_the_most(time: Time) -> None:
    window = PrefetchWindow(8)
    run(window, time, per_s=1_000_000)

    assert room(window) == MAX_HELD


def test_giving_back_is_no_sign_of_speed(time: Time) -> None:
    window = PrefetchWindow(8)
    for _ in range(100):
        held = room(window)
        window.take(held)
        window.settled(held, ran=False)
        time.now_s += HORIZON_S

    assert room(window) == 8


def test_it_shrinks_when_the_queue_becomes_slow(time: Time) -> None:
    window = PrefetchWindow(8)
    run(window, time, per_s=4_000)
    run(window, time, per_s=20)

    assert 8 <= room(window) <= 10


def test_a_fixed_window_stays_as_it_is(time: Time) -> None:
    window = PrefetchWindow(5, adaptive=False)
    run(window, time, per_s=4_000)

    assert room(window) == 5


def test_a_large_window_waits_until_half_of_it_is_free(time: Time) -> None:
    window = PrefetchWindow(8)
    run(window, time, per_s=4_000)
    size = room(window)
    window.take(size)

    window.settled(size // 4)
    assert room(window) == 0, "one claim is to serve many"
    window.settled(size // 2)
    assert room(window) >= size // 2


def test_who_waits_for_room_is_woken_when_there_is_some() -> None:
    window = PrefetchWindow(2)
    window.take(2)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(window.wait_for_room(PATIENCE_S)))
    waiting.start()

    window.settled()
    waiting.join(PATIENCE_S)
    assert got == [1]


def test_slow_ones_that_end_together_make_no_fast_queue(time: Time) -> None:
    window = PrefetchWindow(8)
    window.take(8)
    room(window)
    time.now_s += HORIZON_S / 10
    window.settled(8, took_s=1.0)

    assert room(window) == 8


def test_it_holds_what_its_threads_can_do_within_the_horizon(time: Time) -> None:
    window = PrefetchWindow(8)
    run(window, time, per_s=4_000, took_s=0.016)  # in fact 8 threads do 500 of those a second

    assert room(window) == pytest.approx(8 + 500 * HORIZON_S, abs=1)


def test_messages_that_take_longer_than_the_horizon_are_claimed_one_by_one(time: Time) -> None:
    window = PrefetchWindow(8)
    run(window, time, per_s=100, took_s=HORIZON_S * 1.2)

    assert room(window) == 8


def test_queues_share_the_threads_of_their_process() -> None:
    capacity = Capacity()
    one, other = PrefetchWindow(4, capacity=capacity), PrefetchWindow(4, capacity=capacity)

    assert one.take(3) == 3
    assert room(other) == 1
    assert other.take(4) == 1
    assert (room(one), room(other)) == (0, 0)
    one.settled()
    assert (room(one), room(other)) == (1, 1)
    assert other.take(4) == 1
    other.give_back(1)
    assert one.take(4) == 1


def test_what_a_fast_queue_may_hold_it_does_not_share(time: Time) -> None:
    capacity = Capacity()
    fast, slow = PrefetchWindow(4, capacity=capacity), PrefetchWindow(4, capacity=capacity)
    run(fast, time, per_s=4_000)

    fast.take(room(fast))
    assert room(slow) == 0
    fast.settled(1)
    assert (room(fast), room(slow)) == (0, 1), "the slow one goes first, where the fast one waits for more"


def test_a_consumer_is_woken_by_what_another_queue_settles() -> None:
    capacity = Capacity()
    one, other = PrefetchWindow(2, capacity=capacity), PrefetchWindow(2, capacity=capacity)
    one.take(2)
    got: list[int] = []
    waiting = threading.Thread(target=lambda: got.append(other.wait_for_room(PATIENCE_S)))
    waiting.start()

    one.settled()
    waiting.join(PATIENCE_S)
    assert got == [1]
