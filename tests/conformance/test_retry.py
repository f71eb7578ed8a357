"""I3: a retry is one update of the message in place."""

from __future__ import annotations

import pytest

from brokers.backend import QueueBackend
from tests.support.messages import QUEUE, claimable, claimed, found, stats_of, stored

from .conftest import OpenBackend


def test_the_message_stays_and_changes(open_backend: OpenBackend) -> None:
    backend = open_backend(clock=lambda: 5_000)
    message_id = stored(backend, payload=b"0 retries")

    backend.retry(claimed(backend), queue=QUEUE, payload=b"1 retry", delay_ms=700, error="ValueError: no")

    waiting = found(backend, message_id)
    assert (waiting.state, waiting.payload, waiting.due_at) == ("delayed", b"1 retry", 5_700)
    assert waiting.last_error == "ValueError: no"
    assert waiting.deliveries == 1
    stats = stats_of(backend)
    assert (stats.ready, stats.delayed, stats.running, stats.done) == (0, 1, 0, 0)


@pytest.mark.needs("exact")
def test_without_delay_it_can_be_claimed_at_once(backend: QueueBackend) -> None:
    message_id = stored(backend)
    backend.retry(claimed(backend), queue=QUEUE, payload=b"again", delay_ms=0, error=None)

    again = claimed(backend)
    assert (again.message_id, again.payload, again.deliveries) == (message_id, b"again", 2)


@pytest.mark.needs("in_due_order")
def test_it_queues_behind_what_was_due_before(open_backend: OpenBackend) -> None:
    now = 1_000
    backend = open_backend(clock=lambda: now)
    retried, other = stored(backend), stored(backend)
    delivery = claimed(backend)
    now += 1
    backend.retry(delivery, queue=QUEUE, payload=b"", delay_ms=0, error=None)

    assert claimable(backend) == [other, retried]


def test_it_may_move_to_a_queue_nobody_has_used(backend: QueueBackend) -> None:
    message_id = stored(backend)
    backend.retry(claimed(backend), queue="other", payload=b"{}", delay_ms=0, error=None)

    assert stats_of(backend, "other").ready == 1
    assert claimable(backend) == []
    assert claimable(backend, queue="other") == [message_id]


@pytest.mark.parametrize(("before", "after"), [(10, 50_000), (50_000, 10), (50_000, 60_000)])
def test_the_payload_may_grow_and_shrink(backend: QueueBackend, before: int, after: int) -> None:
    message_id = stored(backend, payload=b"b" * before)
    backend.retry(claimed(backend), queue=QUEUE, payload=b"a" * after, delay_ms=0, error=None)

    assert found(backend, message_id).payload == b"a" * after
    assert claimed(backend).payload == b"a" * after
