"""I6: a delay lives in the engine, to the millisecond, and ends on time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from brokers.backend import QueueBackend
from brokers.clock import now_ms
from tests.support.engines import Engine
from tests.support.messages import QUEUE, claimable, claimed, found, stored
from tests.support.waiting import eventually

from .conftest import OpenBackend, Spawn


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.mark.needs("exact")
def test_not_a_millisecond_early(open_backend: OpenBackend) -> None:
    clock = Clock()
    backend = open_backend(clock=clock)
    message_id = stored(backend, delay_ms=12_345)

    assert found(backend, message_id).due_at == clock.now + 12_345
    clock.now += 12_344
    assert claimable(backend) == []
    assert found(backend, message_id).state == "delayed"
    clock.now += 1
    assert claimable(backend) == [message_id]


@pytest.mark.needs("exact")
@pytest.mark.starts_processes
def test_the_delay_outlives_its_process(spawn: Spawn, open_backend: OpenBackend) -> None:
    clock = Clock()
    child = spawn(clock=clock)
    message_id = stored(child.backend, delay_ms=500)
    child.kill()

    backend = open_backend(clock=clock)
    assert claimable(backend) == []
    clock.now += 500
    assert claimable(backend) == [message_id]


@pytest.mark.needs("wakes")
def test_a_waiting_consumer_gets_it_when_its_time_comes(backend: QueueBackend) -> None:
    message_id = stored(backend, delay_ms=300)

    delivery = claimed(backend)
    assert delivery.message_id == message_id
    assert now_ms() >= delivery.due_at == delivery.enqueued_at + 300


@pytest.mark.needs("wakes")
def test_a_consumer_already_waiting_learns_of_a_new_delay(engine: Engine, backend: QueueBackend) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(claimed, backend)
        eventually(lambda: engine.waiting() == 1)
        message_id = stored(backend, delay_ms=200)
        delivery = waiting.result()
    assert delivery.message_id == message_id
    assert now_ms() >= delivery.due_at


@pytest.mark.needs("exact")
def test_the_shorter_delay_comes_first_though_it_was_asked_for_later(
    engine: Engine, backend: QueueBackend
) -> None:
    stored(backend, delay_ms=3_600_000)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(claimed, backend)
        eventually(lambda: engine.waiting() == 1)
        message_id = stored(backend, delay_ms=100)
        assert waiting.result().message_id == message_id


@pytest.mark.needs("exact")
def test_more_delays_than_one_claim_promotes_all_end(open_backend: OpenBackend) -> None:
    clock = Clock()
    backend = open_backend(clock=clock)
    with ThreadPoolExecutor(max_workers=32) as pool:
        message_ids = list(pool.map(lambda _: stored(backend, delay_ms=1), range(1_200)))
    clock.now += 1

    got: list[str] = []
    while batch := backend.dequeue(QUEUE, limit=1_000, timeout_s=1):
        got += [delivery.message_id for delivery in batch]
    assert sorted(got) == sorted(message_ids)
