"""I2: what is done under a stale token changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from brokers.backend import QueueBackend
from brokers.records import Delivery
from tests.support.messages import QUEUE, claimable, claimed, found, stats_of, stored

from .conftest import OpenBackend


def ack(backend: QueueBackend, delivery: Delivery) -> None:
    backend.ack(delivery)
    backend.sync()


def nack(backend: QueueBackend, delivery: Delivery) -> None:
    backend.nack(delivery, reason="failed", error="late")


def retry(backend: QueueBackend, delivery: Delivery) -> None:
    backend.retry(delivery, queue="elsewhere", payload=b"late", delay_ms=5_000, error="late")


def retry_large(backend: QueueBackend, delivery: Delivery) -> None:
    backend.retry(delivery, queue=QUEUE, payload=b"late" * 10_000, delay_ms=0, error="late")


def release(backend: QueueBackend, delivery: Delivery) -> None:
    backend.release([delivery], delay_ms=5_000)


Verb = Callable[[QueueBackend, Delivery], None]
every_verb = pytest.mark.parametrize("verb", [ack, nack, retry, retry_large, release])


@every_verb
def test_a_stale_token_leaves_a_waiting_message_alone(backend: QueueBackend, verb: Verb) -> None:
    message_id = stored(backend)
    stale = claimed(backend)
    backend.release([stale])
    before = found(backend, message_id)

    verb(backend, stale)
    assert found(backend, message_id) == before
    assert claimable(backend) == [message_id]


@every_verb
def test_a_stale_token_leaves_the_next_delivery_alone(open_backend: OpenBackend, verb: Verb) -> None:
    late, holder = open_backend(), open_backend()
    message_id = stored(late)
    stale = claimed(late)
    late.release([stale])
    current = claimed(holder)
    before = found(holder, message_id)

    verb(late, stale)
    assert found(holder, message_id) == before
    ack(holder, current)
    assert holder.get(message_id) is None
    assert stats_of(holder).done == 1


@every_verb
def test_a_stale_token_brings_nothing_back(backend: QueueBackend, verb: Verb) -> None:
    message_id = stored(backend)
    delivery = claimed(backend)
    ack(backend, delivery)

    verb(backend, delivery)
    assert backend.get(message_id) is None
    assert stats_of(backend).done == 1
    assert stats_of(backend).dead == 0


@every_verb
def test_a_stale_token_never_hits_another_message(backend: QueueBackend, verb: Verb) -> None:
    """An engine may give a new message the key of one that is gone."""
    stored(backend)
    gone = claimed(backend)
    ack(backend, gone)
    message_id = stored(backend)
    claimed(backend)
    before = found(backend, message_id)

    verb(backend, gone)
    assert found(backend, message_id) == before
