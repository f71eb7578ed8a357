"""A delivery given back did not happen."""

from __future__ import annotations

import pytest

from brokers.backend import QueueBackend
from tests.support.messages import QUEUE, claimable, claimed, found, stored

from .conftest import OpenBackend


def test_it_does_not_count_as_a_delivery(backend: QueueBackend) -> None:
    message_id = stored(backend)
    before = found(backend, message_id)

    backend.release([claimed(backend)])
    assert found(backend, message_id) == before
    assert claimed(backend).deliveries == 1


@pytest.mark.needs("in_due_order")
def test_it_keeps_its_place(backend: QueueBackend) -> None:
    message_ids = [stored(backend) for _ in range(5)]
    first_two = backend.dequeue(QUEUE, limit=2, timeout_s=0)

    backend.release(first_two)
    assert claimable(backend) == message_ids


@pytest.mark.needs("exact")
def test_it_may_rest_before_it_comes_back(open_backend: OpenBackend) -> None:
    now = 1_000
    backend = open_backend(clock=lambda: now)
    message_id = stored(backend)

    backend.release([claimed(backend)], delay_ms=250)
    now += 249
    assert claimable(backend) == []
    now += 1
    assert claimable(backend) == [message_id]


def test_one_stale_delivery_does_not_keep_the_others(backend: QueueBackend) -> None:
    stored(backend)
    stored(backend)
    stale, current = backend.dequeue(QUEUE, limit=2, timeout_s=0)
    backend.release([stale])
    claimed(backend)

    backend.release([stale, current])
    assert found(backend, stale.message_id).state == "running"
    assert found(backend, current.message_id).state == "ready"
