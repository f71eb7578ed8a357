"""I4 and I5: the dead give their messages back, the living keep theirs, and a killer is stopped."""

from __future__ import annotations

import ctypes

import pytest

from brokers.backend import QueueBackend
from tests.support.engines import Engine
from tests.support.messages import QUEUE, claimable, claimed, found, stats_of, stored
from tests.support.waiting import eventually

from .conftest import OpenBackend, Spawn

pytestmark = [pytest.mark.starts_processes, pytest.mark.needs("counts_crashes")]


def test_a_killed_process_gives_its_messages_back(backend: QueueBackend, spawn: Spawn) -> None:
    message_ids = [stored(backend) for _ in range(3)]
    backend.dequeue("another", limit=1, timeout_s=0)  # this process consumes, so it looks after the dead
    child = spawn()
    held = child.backend.dequeue(QUEUE, limit=3, timeout_s=0)
    assert sorted(delivery.message_id for delivery in held) == sorted(message_ids)
    child.backend.started(held[1])
    child.kill()

    first = claimed(backend)
    eventually(lambda: stats_of(backend).running == 1)
    assert sorted([first.message_id, *claimable(backend)]) == sorted(message_ids)


def test_only_what_was_started_counts_a_crash(backend: QueueBackend, spawn: Spawn) -> None:
    for _ in range(3):
        stored(backend)
    child = spawn()
    started, finished, waiting = child.backend.dequeue(QUEUE, limit=3, timeout_s=0)
    child.backend.started(started)
    child.backend.started(finished)
    child.backend.retry(finished, queue=QUEUE, payload=b"", delay_ms=60_000, error="ValueError")
    child.kill()
    backend.dequeue("another", limit=1, timeout_s=0)

    eventually(lambda: stats_of(backend).ready == 2)
    suspect, unharmed = found(backend, started.message_id), found(backend, waiting.message_id)
    assert (suspect.crashes, suspect.deliveries) == (1, 1)
    assert suspect.last_error is not None
    assert "died" in suspect.last_error
    assert (unharmed.crashes, unharmed.deliveries, unharmed.last_error) == (0, 0, None)
    assert found(backend, finished.message_id).crashes == 0


def test_what_was_acked_does_not_come_back(backend: QueueBackend, spawn: Spawn) -> None:
    stored(backend)
    stored(backend)
    child = spawn()
    first, second = child.backend.dequeue(QUEUE, limit=2, timeout_s=0)
    done, held = first.message_id, second.message_id
    child.backend.started(first)
    child.backend.ack(first)
    child.backend.sync()
    child.kill()

    assert claimed(backend).message_id == held
    assert backend.get(done) is None
    assert stats_of(backend).done == 1


@pytest.mark.needs("asks_the_kernel")
def test_a_stopped_process_keeps_what_it_holds(engine: Engine, backend: QueueBackend, spawn: Spawn) -> None:
    stored(backend)
    stored(backend)
    sleeper, victim = spawn(), spawn()
    held = claimed(sleeper.backend)
    kept, lost = held.message_id, claimed(victim.backend).message_id
    sleeper.stop()
    victim.kill()

    assert claimed(backend).message_id == lost, "the dead are looked for"
    engine.recover(backend)
    assert found(backend, kept).state == "running"
    sleeper.go_on()
    sleeper.backend.ack(held)
    sleeper.backend.sync()
    assert backend.get(kept) is None


def hold_the_interpreter(backend: QueueBackend) -> None:
    """Run a message in a call of C that lets no other thread of this process go on."""
    delivery = claimed(backend)
    backend.started(delivery)
    ctypes.PyDLL(None).sleep(HELD_S)
    backend.ack(delivery)
    backend.sync()


#: Longer than a process may be silent in these tests, and than any round of housekeeping takes.
HELD_S = 5


@pytest.mark.needs("asks_the_kernel")
def test_a_process_whose_interpreter_is_held_keeps_what_it_runs(backend: QueueBackend, spawn: Spawn) -> None:
    message_id = stored(backend)
    busy = spawn()
    busy.begin(hold_the_interpreter)
    eventually(lambda: found(backend, message_id).state == "running")

    assert backend.dequeue(QUEUE, limit=1, timeout_s=HELD_S) == []
    busy.result()
    assert backend.get(message_id) is None
    assert stats_of(backend).done == 1


def test_a_process_that_was_taken_for_dead_finds_its_tokens_worthless(
    engine: Engine, backend: QueueBackend, spawn: Spawn
) -> None:
    if not engine.IS_SHARED_BY_MACHINES:
        pytest.skip("no process is taken for dead that lives")
    message_id = stored(backend)
    sleeper = spawn()
    held = claimed(sleeper.backend)
    sleeper.stop()
    engine.lose_sight_of(sleeper.pid)
    again = claimed(backend)
    assert again.message_id == message_id

    sleeper.go_on()
    sleeper.backend.ack(held)
    sleeper.backend.sync()
    assert found(backend, message_id).state == "running"
    backend.ack(again)
    backend.sync()
    assert backend.get(message_id) is None


def test_messages_wait_for_the_next_process_when_nobody_is_left(
    spawn: Spawn, open_backend: OpenBackend
) -> None:
    child = spawn()
    message_id = stored(child.backend)
    claimed(child.backend)
    child.kill()

    assert claimed(open_backend()).message_id == message_id


def test_a_process_that_left_gives_its_messages_back(
    engine: Engine, backend: QueueBackend, open_backend: OpenBackend
) -> None:
    message_id = stored(backend)
    leaver = open_backend()
    claimed(leaver)
    leaver.close()

    engine.recover(backend)
    assert claimable(backend) == [message_id]
    assert found(backend, message_id).crashes == 0


def test_a_message_that_killed_its_workers_is_handed_out_once_more_to_be_set_aside(
    spawn: Spawn, open_backend: OpenBackend
) -> None:
    message_id = stored(open_backend())
    for _ in range(3):
        child = spawn(max_deliveries=3)
        child.backend.started(claimed(child.backend))
        child.kill()

    survivor = open_backend(max_deliveries=3)
    last = claimed(survivor)
    assert (last.message_id, last.crashes) == (message_id, 3)
    survivor.nack(last, reason="max_deliveries", error=None)
    dead = found(survivor, message_id)
    assert (dead.state, dead.reason, dead.crashes) == ("dead", "max_deliveries", 3)
    assert dead.last_error is not None
    assert "died" in dead.last_error
    assert stats_of(survivor).died == {"max_deliveries": 1}


def test_a_message_that_kills_even_the_worker_that_sets_it_aside_becomes_a_dead_letter(
    spawn: Spawn, open_backend: OpenBackend
) -> None:
    message_id = stored(open_backend())
    for _ in range(4):
        child = spawn(max_deliveries=3)
        child.backend.started(claimed(child.backend))
        child.kill()

    survivor = open_backend(max_deliveries=3)
    survivor.dequeue(QUEUE, limit=1, timeout_s=0)
    dead = eventually(lambda: [m for m in survivor.list(QUEUE, "dead") if m.message_id == message_id])[0]
    assert (dead.reason, dead.crashes, dead.deliveries) == ("max_deliveries", 4, 4)
    assert dead.last_error is not None
    assert "died" in dead.last_error
    assert claimable(survivor) == []
    assert stats_of(survivor).died == {"max_deliveries": 1}


def test_a_run_that_ends_clears_the_record(spawn: Spawn, open_backend: OpenBackend) -> None:
    """A message is given up when its workers die one after the other, not now and then."""
    message_id = stored(open_backend())
    for _ in range(3):
        child = spawn(max_deliveries=2)
        child.backend.started(claimed(child.backend))
        child.kill()
        survivor = open_backend(max_deliveries=2)
        delivery = claimed(survivor)
        assert found(survivor, message_id).crashes == 1
        survivor.started(delivery)
        survivor.retry(delivery, queue=QUEUE, payload=b"", delay_ms=0, error="ValueError")
        survivor.close()
