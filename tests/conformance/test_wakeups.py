"""I8: who waits is woken at once, by whatever made a message ready, and does not poll meanwhile."""

from __future__ import annotations

import resource
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from brokers.backend import QueueBackend
from tests.support.engines import Engine
from tests.support.messages import PATIENCE_S, QUEUE, a_message, buried, claimed, stored
from tests.support.waiting import eventually

from .conftest import Spawn

pytestmark = [pytest.mark.starts_processes, pytest.mark.needs("wakes")]


def test_a_process_that_waits_gets_each_new_message(
    engine: Engine, backend: QueueBackend, spawn: Spawn
) -> None:
    """Every single one by a wake-up: a consumer waits here far longer than a test may run."""
    child = spawn()
    for _ in range(20):
        child.begin(claimed)
        eventually(lambda: engine.waiting() == 1)
        message_id = stored(backend)
        assert child.result().message_id == message_id


def test_every_process_that_waits_is_woken(engine: Engine, backend: QueueBackend, spawn: Spawn) -> None:
    children = [spawn(), spawn()]
    for child in children:
        child.begin(claimed)
    eventually(lambda: engine.waiting() == 2)
    message_ids = {stored(backend), stored(backend)}

    assert {child.result().message_id for child in children} == message_ids


def retried(backend: QueueBackend) -> Callable[[], object]:
    stored(backend)
    delivery = claimed(backend)
    return lambda: backend.retry(delivery, queue=QUEUE, payload=b"", delay_ms=0, error=None)


def released(backend: QueueBackend) -> Callable[[], object]:
    stored(backend)
    delivery = claimed(backend)
    return lambda: backend.release([delivery])


def replayed(backend: QueueBackend) -> Callable[[], object]:
    message_id = buried(backend)
    return lambda: backend.replay(message_id)


@pytest.mark.parametrize("prepare", [retried, released, replayed])
def test_whatever_makes_a_message_ready_wakes(
    engine: Engine,
    backend: QueueBackend,
    spawn: Spawn,
    prepare: Callable[[QueueBackend], Callable[[], object]],
) -> None:
    make_ready = prepare(backend)
    child = spawn()
    child.begin(claimed)
    eventually(lambda: engine.waiting() == 1)

    make_ready()
    assert child.result().queue == QUEUE


def test_a_death_wakes_who_waits(engine: Engine, backend: QueueBackend, spawn: Spawn) -> None:
    message_id = stored(backend)
    victim, heir = spawn(), spawn()
    victim.run(claimed)
    heir.begin(claimed)
    eventually(lambda: engine.waiting() == 1)

    victim.kill()
    assert heir.result().message_id == message_id


def test_a_process_that_only_enqueues_rings_too(engine: Engine, spawn: Spawn) -> None:
    consumer, producer = spawn(), spawn()
    consumer.begin(claimed)
    eventually(lambda: engine.waiting() == 1)
    message = a_message()

    producer.backend.enqueue(message)
    assert consumer.result().message_id == message.message_id


def wake_ups_of_an_idle_second(backend: QueueBackend) -> int:
    """How often this process went to sleep while it waited in vain: whoever polls does so again and again."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw
    assert backend.dequeue(QUEUE, limit=1, timeout_s=1) == []
    return resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before


def test_waiting_is_not_polling(spawn: Spawn) -> None:
    child = spawn()
    child.backend.dequeue(QUEUE, limit=1, timeout_s=0)

    assert child.run(wake_ups_of_an_idle_second) < 100


def test_two_queues_wait_side_by_side(engine: Engine, backend: QueueBackend, spawn: Spawn) -> None:
    producer = spawn()
    with ThreadPoolExecutor() as pool:
        one, other = pool.submit(claimed, backend, "one"), pool.submit(claimed, backend, "other")
        eventually(lambda: engine.waiting() == 1)
        second = stored(producer.backend, queue="other")
        first = stored(producer.backend, queue="one")
        assert one.result(PATIENCE_S).message_id == first
        assert other.result(PATIENCE_S).message_id == second
