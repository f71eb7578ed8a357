"""I6: priority first, then the time it became due, then first come, first served; across processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import chain

import pytest

from brokers.backend import QueueBackend
from tests.support.messages import QUEUE, claimable, stored

from .conftest import OpenBackend

pytestmark = pytest.mark.needs("priorities")


def test_first_come_first_served(backend: QueueBackend) -> None:
    message_ids = [stored(backend) for _ in range(10)]

    assert claimable(backend) == message_ids


def test_the_lower_priority_number_goes_first(backend: QueueBackend) -> None:
    late, first, middle = stored(backend, priority=9), stored(backend, priority=-1), stored(backend)

    assert claimable(backend) == [first, middle, late]


@pytest.mark.needs("in_due_order")
def test_what_became_due_earlier_goes_first(open_backend: OpenBackend) -> None:
    now = 1_000_000
    backend = open_backend(clock=lambda: now)
    long, short = stored(backend, delay_ms=200), stored(backend, delay_ms=100)
    now += 150
    fresh = stored(backend)
    urgent = stored(backend, priority=-1)
    now += 100

    one_by_one = [claimable(backend, limit=1) for _ in range(4)]
    assert one_by_one == [[urgent], [short], [fresh], [long]]


def test_as_many_as_the_limit_after_a_look_in_vain(backend: QueueBackend) -> None:
    assert claimable(backend) == []
    message_ids = [stored(backend) for _ in range(5)]

    assert [claimable(backend, limit=3), claimable(backend)] == [message_ids[:3], message_ids[3:]]


def test_never_more_than_the_limit(backend: QueueBackend) -> None:
    message_ids = [stored(backend) for _ in range(5)]

    assert claimable(backend, limit=3) == message_ids[:3]
    assert claimable(backend, limit=3) == message_ids[3:]


def test_queues_do_not_mix(backend: QueueBackend) -> None:
    here, there = stored(backend), stored(backend, queue="other")

    assert claimable(backend) == [here]
    assert claimable(backend, queue="other") == [there]


def test_an_empty_queue_gives_nothing_when_time_is_up(backend: QueueBackend) -> None:
    assert backend.dequeue(QUEUE, limit=1, timeout_s=0.05) == []


def test_order_holds_across_backends(open_backend: OpenBackend) -> None:
    one, other = open_backend(), open_backend()
    late, early = stored(one, priority=5), stored(other, priority=1)

    assert claimable(one, limit=1) == [early]
    assert claimable(other, limit=1) == [late]


def test_no_message_is_claimed_twice(open_backend: OpenBackend) -> None:
    backends = [open_backend(), open_backend()]
    message_ids = sorted(stored(backends[0]) for _ in range(200))

    def claim_all(backend: QueueBackend) -> list[str]:
        mine: list[str] = []
        while batch := claimable(backend, limit=7):
            mine += batch
        return mine

    with ThreadPoolExecutor() as pool:
        claims = list(pool.map(claim_all, backends * 2))
    assert sorted(chain.from_iterable(claims)) == message_ids
