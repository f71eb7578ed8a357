"""A paused queue hands nothing out, in any process, until it is resumed."""

from __future__ import annotations

import pytest

from brokers.backend import QueueBackend
from tests.support.engines import Engine
from tests.support.messages import QUEUE, claimable, claimed, stats_of, stored
from tests.support.waiting import eventually

from .conftest import OpenBackend, Spawn


@pytest.mark.starts_processes
def test_pausing_here_stops_claims_there(backend: QueueBackend, spawn: Spawn) -> None:
    child = spawn()
    message_id = stored(backend)
    other = stored(backend, queue="other")
    backend.pause(QUEUE)

    assert child.backend.dequeue(QUEUE, limit=1, timeout_s=0) == []
    assert claimable(backend, queue="other") == [other], "other queues go on"
    child.backend.resume(QUEUE)
    assert claimable(backend) == [message_id]


def test_a_paused_queue_still_takes_messages(backend: QueueBackend) -> None:
    backend.pause(QUEUE)
    soon, later = stored(backend), stored(backend, delay_ms=1)

    assert stats_of(backend).ready + stats_of(backend).delayed == 2
    backend.resume(QUEUE)
    assert {claimed(backend).message_id, claimed(backend).message_id} == {soon, later}


def test_what_runs_may_finish(backend: QueueBackend) -> None:
    message_id = stored(backend)
    delivery = claimed(backend)
    backend.pause(QUEUE)

    backend.ack(delivery)
    backend.sync()
    assert backend.get(message_id) is None


def test_a_queue_stays_paused_over_a_restart(open_backend: OpenBackend) -> None:
    before = open_backend()
    before.pause(QUEUE)
    before.close()

    after = open_backend()
    assert stats_of(after).paused
    stored(after)
    assert claimable(after) == []


@pytest.mark.starts_processes
def test_resuming_wakes_who_waits_elsewhere(engine: Engine, backend: QueueBackend, spawn: Spawn) -> None:
    backend.pause(QUEUE)
    message_id = stored(backend)
    child = spawn()
    child.begin(claimed)
    eventually(lambda: engine.waiting() == 1)

    backend.resume(QUEUE)
    assert child.result().message_id == message_id
    assert not stats_of(backend).paused


def test_what_becomes_due_in_a_paused_queue_keeps_nobody_busy(open_backend: OpenBackend) -> None:
    now = 1_000
    backend = open_backend(clock=lambda: now)
    message_id = stored(backend, delay_ms=10)
    backend.pause(QUEUE)
    now += 20

    for timeout_s in (0, 0.05):  # a call that never came back would be the end of this test
        assert backend.dequeue(QUEUE, limit=1, timeout_s=timeout_s) == []
    backend.resume(QUEUE)
    assert claimable(backend) == [message_id]
