"""Messages of another engine are taken over as they were, once."""

from __future__ import annotations

import pytest

from brokers.backend import QueueBackend
from brokers.records import StoredMessage
from tests.support.messages import QUEUE, a_message, buried, claimable, claimed, found, stats_of, stored

from .conftest import Spawn

READY = StoredMessage("ready", QUEUE, "work", "ready", b"one", 5, 2, 1, 1_000, 2_000, "ValueError")
DELAYED = READY._replace(message_id="delayed", state="delayed", due_at=4_000_000_000_000)
DEAD = READY._replace(
    message_id="dead", state="dead", due_at=3_000, reason="failed", died_at=3_000, payload=b"x" * 20_000
)


def test_messages_are_stored_as_they_were(backend: QueueBackend) -> None:
    assert backend.adopt([READY, DELAYED, DEAD]) == 3

    for message in (READY, DELAYED, DEAD):
        assert found(backend, message.message_id) == message
    stats = stats_of(backend)
    assert (stats.ready, stats.delayed, stats.dead, stats.oldest_due_at) == (1, 1, 1, 2_000)
    delivery = claimed(backend)
    assert (delivery.message_id, delivery.payload, delivery.deliveries) == ("ready", b"one", 3)


def test_they_are_stored_once(backend: QueueBackend) -> None:
    backend.adopt([READY, DELAYED, DEAD])
    assert backend.adopt([READY, DELAYED, DEAD]) == 0
    assert claimable(backend) == ["ready"]


def test_what_ran_elsewhere_is_ready_here(backend: QueueBackend) -> None:
    backend.adopt([READY._replace(state="running", payload=b"x" * 20_000)])
    assert claimed(backend).payload == b"x" * 20_000


@pytest.mark.starts_processes
def test_an_adopted_message_wakes_who_waits(backend: QueueBackend, spawn: Spawn) -> None:
    child = spawn()
    child.begin(claimed)
    backend.adopt([READY])
    assert child.result().message_id == "ready"


def test_what_is_elsewhere_is_removed(backend: QueueBackend) -> None:
    stored(backend)
    stored(backend, delay_ms=60_000, payload=b"x" * 20_000)
    buried(backend, queue="another")
    every = [m for queue in (QUEUE, "another") for state in ("ready", "delayed", "dead")
             for m in backend.list(queue, state)]  # fmt: skip
    assert len(every) == 3

    backend.remove(every)
    assert [backend.get(message.message_id) for message in every] == [None] * 3
    backend.remove(every)
    assert backend.enqueue(a_message(message_id=every[0].message_id))


def test_what_was_taken_up_meanwhile_stays(backend: QueueBackend) -> None:
    message_id = stored(backend)
    listed = backend.list(QUEUE, "ready")
    claimed(backend)

    backend.remove(listed)
    assert found(backend, message_id).state == "running"
