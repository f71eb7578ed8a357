"""I1: what enqueue took is there, once, whatever happens next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from dramatiq.errors import BrokerConnectionError

from brokers.backend import QueueBackend
from brokers.errors import MessageTooLarge
from brokers.records import QueueMessage
from tests.support.engines import Engine
from tests.support.messages import QUEUE, a_message, claimable, claimed, found, stats_of, stored

from .conftest import OpenBackend, Spawn


def test_a_message_comes_out_as_it_went_in(backend: QueueBackend) -> None:
    message = a_message(payload=b"\x00\xff ol\xc3\xa1", actor="greet", priority=3)
    assert backend.enqueue(message)

    at_rest = found(backend, message.message_id)
    assert (at_rest.state, at_rest.actor, at_rest.priority) == ("ready", "greet", 3)
    assert at_rest.payload == message.payload
    delivery = claimed(backend)
    assert (delivery.message_id, delivery.queue, delivery.payload) == (
        message.message_id,
        message.queue,
        message.payload,
    )
    assert delivery.deliveries == 1


@pytest.mark.parametrize("size", [0, 8 * 1024, 8 * 1024 + 1, 1024 * 1024])
def test_payloads_of_every_size_are_kept(engine: Engine, backend: QueueBackend, size: int) -> None:
    size = min(size, engine.LARGEST)
    payload = bytes(range(256)) * (size // 256) + b"!" * (size % 256)
    message_id = stored(backend, payload=payload)

    delivery = claimed(backend)
    assert (delivery.message_id, delivery.payload) == (message_id, payload)


@pytest.mark.starts_processes
def test_what_enqueue_took_survives_kill_9(spawn: Spawn, open_backend: OpenBackend) -> None:
    child = spawn()
    messages = [a_message() for _ in range(5)]
    for message in messages:
        child.backend.enqueue(message)
    child.kill()

    assert sorted(claimable(open_backend())) == sorted(message.message_id for message in messages)


def enqueue_concurrently(backend: QueueBackend, messages: Sequence[QueueMessage]) -> list[bool]:
    async def gather() -> list[bool]:
        return await asyncio.gather(*(backend.enqueue_async(message) for message in messages))

    return asyncio.run(gather())


def kill_9_after_async_enqueues(backend: QueueBackend) -> list[str]:
    messages = [a_message() for _ in range(100)]
    assert all(enqueue_concurrently(backend, messages))
    return [message.message_id for message in messages]


@pytest.mark.starts_processes
def test_what_async_enqueues_took_survives_kill_9(spawn: Spawn, open_backend: OpenBackend) -> None:
    child = spawn()
    message_ids = child.run(kill_9_after_async_enqueues)
    child.kill()

    assert sorted(claimable(open_backend(), limit=1000)) == sorted(message_ids)


@pytest.mark.needs("unique_ids")
def test_an_id_is_stored_once(backend: QueueBackend) -> None:
    message = a_message(payload=b"first")
    assert backend.enqueue(message)
    assert not backend.enqueue(message._replace(payload=b"second", delay_ms=1_000))

    assert claimed(backend).payload == b"first"
    assert not backend.enqueue(message), "it is running, and still the same message"
    assert claimable(backend) == []


@pytest.mark.needs("unique_ids")
def test_of_many_enqueues_of_one_id_exactly_one_stores_it(backend: QueueBackend) -> None:
    message = a_message()

    assert enqueue_concurrently(backend, [message] * 50).count(True) == 1
    assert claimable(backend) == [message.message_id]


def test_a_finished_id_may_be_used_again(backend: QueueBackend) -> None:
    message = a_message()
    backend.enqueue(message)
    backend.ack(claimed(backend))
    backend.sync()

    assert backend.enqueue(message)


def test_a_message_too_large_is_refused_and_not_stored(open_backend: OpenBackend) -> None:
    backend = open_backend(max_message_bytes=100)
    too_large = a_message(payload=b"x" * 101)

    with pytest.raises(MessageTooLarge, match="101 bytes"):
        backend.enqueue(too_large)
    with pytest.raises(MessageTooLarge):
        asyncio.run(backend.enqueue_async(too_large))
    assert backend.get(too_large.message_id) is None
    assert stored(backend, payload=b"x" * 100)


def test_threads_enqueue_side_by_side(backend: QueueBackend) -> None:
    messages = [a_message() for _ in range(200)]
    with ThreadPoolExecutor(max_workers=16) as pool:
        assert all(pool.map(backend.enqueue, messages))

    assert sorted(claimable(backend, limit=1000)) == sorted(message.message_id for message in messages)


def test_an_async_enqueue_leaves_the_event_loop_free(backend: QueueBackend) -> None:
    async def turns_of_the_loop_meanwhile() -> int:
        enqueuing = asyncio.create_task(backend.enqueue_async(a_message()))
        turns = 0
        while not enqueuing.done():
            await asyncio.sleep(0)
            turns += 1
        assert enqueuing.result()
        return turns

    stored(backend)  # the store is open, as in any process but a newborn one
    assert asyncio.run(turns_of_the_loop_meanwhile()) > 2


def test_a_cancelled_async_enqueue_harms_no_other(backend: QueueBackend) -> None:
    async def cancel_one_of_three() -> list[bool | BaseException]:
        tasks = [asyncio.create_task(backend.enqueue_async(a_message())) for _ in range(3)]
        await asyncio.sleep(0)  # all of them are waiting for the commit now
        tasks[1].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    first, cancelled, third = asyncio.run(cancel_one_of_three())
    assert isinstance(cancelled, asyncio.CancelledError)
    assert (first, third) == (True, True)
    assert stats_of(backend).ready >= 2


def test_closing_stores_what_was_submitted(open_backend: OpenBackend) -> None:
    """Whoever is still waiting when the backend closes is told the truth."""
    backend = open_backend()
    stored(backend)
    messages = [a_message() for _ in range(64)]

    def enqueue(message: QueueMessage) -> bool:
        try:
            return backend.enqueue(message)
        except BrokerConnectionError:
            return False

    with ThreadPoolExecutor(max_workers=64) as pool:
        answers = [pool.submit(enqueue, message) for message in messages]
        backend.close()
    reopened = open_backend()
    taken = {m.message_id for m, answer in zip(messages, answers, strict=True) if answer.result()}
    assert taken <= {m.message_id for m in reopened.list(QUEUE, "ready", limit=1000)}
