"""Who may run beside whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from brokers.poison_guard import PoisonGuard
from brokers.records import Delivery
from tests.support.messages import PATIENCE_S, QUEUE
from tests.support.waiting import eventually

from .conftest import Time

MAX_DELIVERIES = 5


def a_delivery(key: str, *, crashes: int = 0) -> Delivery:
    return Delivery(key, 1, QUEUE, key, b"", crashes + 1, 0, 0, crashes)


A, B = map(a_delivery, "ab")
SUSPECT, SECOND = (a_delivery(key, crashes=MAX_DELIVERIES - 1) for key in ("suspect", "second"))


@pytest.fixture
def guard() -> PoisonGuard:
    return PoisonGuard(MAX_DELIVERIES)


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=16) as pool:
        yield pool


def is_shut(guard: PoisonGuard) -> bool:
    others = {guard.admit(B), guard.admit(SECOND)}
    return others == {"refused"} and not guard.wait_until_open(0)


def test_everybody_runs_beside_everybody(guard: PoisonGuard) -> None:
    assert guard.admit(A) == "admitted"
    assert guard.admit(a_delivery("crashed before", crashes=MAX_DELIVERIES - 2)) == "admitted"
    assert guard.admit(B) == "admitted"
    assert guard.wait_until_open(0)


@pytest.mark.parametrize(("max_deliveries", "crashes"), [(2, 1), (5, 4), (5, 7)])
def test_who_would_not_survive_one_more_crash_is_alone(max_deliveries: int, crashes: int) -> None:
    guard = PoisonGuard(max_deliveries)
    suspect = a_delivery("suspect", crashes=crashes)
    assert guard.admit(suspect) == "exclusive"


@pytest.mark.parametrize(("max_deliveries", "crashes"), [(1, 0), (2, 0), (5, 3)])
def test_who_would_survive_it_is_not(max_deliveries: int, crashes: int) -> None:
    guard = PoisonGuard(max_deliveries)
    other = a_delivery("no suspect", crashes=crashes)
    assert guard.admit(other) == "admitted"


def test_a_suspect_waits_for_those_who_run_already(guard: PoisonGuard) -> None:
    assert guard.admit(A) == "admitted"
    assert guard.admit(B) == "admitted"
    assert guard.admit(SUSPECT) == "exclusive"
    assert not guard.wait_for_others(SUSPECT, timeout_s=0)
    guard.release(A)
    assert not guard.wait_for_others(SUSPECT, timeout_s=0)
    guard.release(B)
    assert guard.admit(SUSPECT) == "exclusive", "it may ask again"
    assert guard.wait_for_others(SUSPECT, timeout_s=0)


def test_nobody_enters_while_a_suspect_is_there_or_waits(guard: PoisonGuard) -> None:
    assert guard.admit(A) == "admitted"
    assert guard.admit(SUSPECT) == "exclusive"
    assert is_shut(guard)
    guard.release(A)
    assert is_shut(guard)
    assert guard.wait_for_others(SUSPECT, timeout_s=0)
    assert is_shut(guard)
    guard.release(SUSPECT)
    assert guard.wait_until_open(0)
    assert guard.admit(B) == "admitted"


def test_suspects_are_there_one_after_the_other(guard: PoisonGuard) -> None:
    for suspect, other in ((SUSPECT, SECOND), (SECOND, SUSPECT)):
        assert guard.admit(suspect) == "exclusive"
        assert guard.wait_for_others(suspect, timeout_s=0)
        assert guard.admit(other) == "refused"
        guard.release(suspect)


def test_a_suspect_that_is_given_back_keeps_nobody_out(guard: PoisonGuard) -> None:
    assert guard.admit(A) == "admitted"
    assert guard.admit(SUSPECT) == "exclusive"
    guard.release(SUSPECT)
    assert guard.admit(B) == "admitted"


def test_leaving_without_having_entered_changes_nothing(guard: PoisonGuard) -> None:
    assert guard.admit(SUSPECT) == "exclusive"
    guard.release(A)
    assert guard.admit(B) == "refused"


def test_another_delivery_of_the_same_message_is_another(guard: PoisonGuard) -> None:
    assert guard.admit(A) == "admitted"
    assert guard.admit(A._replace(token=2)) == "admitted"
    assert guard.admit(SUSPECT) == "exclusive"
    guard.release(A)
    assert not guard.wait_for_others(SUSPECT, timeout_s=0)


@pytest.mark.parametrize("step", ["the last one leaves", "the suspect leaves"])
def test_who_waits_is_let_in_at_once(guard: PoisonGuard, pool: ThreadPoolExecutor, step: str) -> None:
    assert guard.admit(A) == "admitted"
    assert guard.admit(SUSPECT) == "exclusive"
    wait: Callable[[], bool]
    if step == "the last one leaves":
        leaves, wait = A, lambda: guard.wait_for_others(SUSPECT, timeout_s=2 * PATIENCE_S)
    else:
        leaves, wait = SUSPECT, lambda: guard.wait_until_open(2 * PATIENCE_S)
    waiting = pool.submit(wait)
    eventually(waiting.running)
    guard.release(leaves)
    assert waiting.result(PATIENCE_S)


def test_who_runs_for_too_long_is_not_waited_for(time: Time) -> None:
    guard = PoisonGuard(MAX_DELIVERIES, patience_s=30)
    assert guard.admit(A) == "admitted"
    assert guard.admit(SUSPECT) == "exclusive"
    time.now_s += 29
    assert not guard.wait_for_others(SUSPECT, timeout_s=0)
    time.now_s += 1
    assert guard.admit(B) == "refused", "the door is the suspect's until it has begun"
    assert guard.wait_for_others(SUSPECT, timeout_s=0)
    guard.release(SUSPECT)

    assert guard.admit(SECOND) == "exclusive"
    assert guard.wait_for_others(SECOND, timeout_s=0), "the next suspect does not wait for the same again"


def test_a_suspect_that_runs_for_too_long_is_not_waited_for(time: Time) -> None:
    guard = PoisonGuard(MAX_DELIVERIES, patience_s=30)
    assert guard.admit(SUSPECT) == "exclusive"
    time.now_s += 20
    assert guard.wait_for_others(SUSPECT, timeout_s=0)
    time.now_s += 29
    assert not guard.wait_until_open(0)
    time.now_s += 1
    assert guard.wait_until_open(0)
    assert guard.admit(B) == "admitted"
    assert guard.admit(SECOND) == "exclusive"
    assert not guard.wait_for_others(SECOND, timeout_s=0), "B is waited for, as ever"
    guard.release(B)
    assert guard.wait_for_others(SECOND, timeout_s=0), "the first suspect is not"


def test_a_suspect_that_nobody_asks_for_any_more_is_forgotten(time: Time) -> None:
    guard = PoisonGuard(MAX_DELIVERIES, patience_s=30)
    assert guard.admit(SUSPECT) == "exclusive"
    time.now_s += 59
    assert is_shut(guard)
    time.now_s += 1
    assert guard.wait_until_open(0)
    assert guard.admit(SUSPECT) == "exclusive", (
        "should it be asked for after all, it waits for its turn again"
    )


def test_a_crowd_at_the_door(guard: PoisonGuard, pool: ThreadPoolExecutor) -> None:
    """Whatever the order: who is alone is alone, and everybody gets in."""
    deliveries = [a_delivery(str(n), crashes=0 if n % 5 else MAX_DELIVERIES - 1) for n in range(500)]
    inside: set[str] = set()

    def visit(delivery: Delivery) -> bool:
        """Whether it had company."""
        while (entry := guard.admit(delivery)) == "refused":
            assert guard.wait_until_open(PATIENCE_S)
        if entry == "exclusive":
            assert guard.wait_for_others(delivery, timeout_s=PATIENCE_S)
        inside.add(delivery.message_id)
        company = len(inside)
        threading.Event().wait(0.0005)
        company = max(company, len(inside))
        inside.discard(delivery.message_id)
        guard.release(delivery)
        return company > 1

    had_company = dict(zip(deliveries, pool.map(visit, deliveries, timeout=PATIENCE_S), strict=True))
    assert not any(had_company[delivery] for delivery in deliveries if delivery.crashes)
