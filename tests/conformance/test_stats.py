"""What operators see: every queue counted, every message listed."""

from __future__ import annotations

import pytest

from brokers.backend import QueueBackend
from brokers.records import DeadLetterFilter, Delivery, QueueStats
from tests.support.engines import Engine
from tests.support.messages import QUEUE, buried, claimed, found, stats_of, stored

from .conftest import OpenBackend


@pytest.mark.needs("exact")
def test_every_state_is_counted(open_backend: OpenBackend) -> None:
    backend = open_backend(clock=lambda: 1_000)
    buried(backend)
    for _ in range(2):
        stored(backend)
        backend.ack(claimed(backend))
    for _ in range(3):
        stored(backend)
        claimed(backend)
    for _ in range(4):
        stored(backend)
    for _ in range(5):
        stored(backend, delay_ms=10)
    backend.sync()

    assert backend.stats() == [
        QueueStats(
            QUEUE,
            ready=4,
            delayed=5,
            running=3,
            dead=1,
            done=2,
            oldest_due_at=1_000,
            paused=False,
            waits_since=1_000,
            counted_at=1_000,
            died={"failed": 1},
        )
    ]


def test_queues_are_counted_apart(backend: QueueBackend) -> None:
    stored(backend, queue="a")
    stored(backend, queue="b", delay_ms=60_000)
    buried(backend, queue="c")

    assert {stats.queue: (stats.ready, stats.delayed, stats.dead) for stats in backend.stats()} == {
        "a": (1, 0, 0),
        "b": (0, 1, 0),
        "c": (0, 0, 1),
    }


def test_an_unused_store_has_no_queues(backend: QueueBackend) -> None:
    assert list(backend.stats()) == []


def test_deaths_are_counted_by_reason_whatever_becomes_of_the_dead(open_backend: OpenBackend) -> None:
    before = open_backend()
    replayed, again = buried(before), stored(before)
    before.nack(claimed(before), reason="expired", error=None)
    before.replay(replayed)
    before.nack(claimed(before), reason="failed", error=None)
    before.discard(DeadLetterFilter(message_ids=[replayed, again]))
    before.close()

    after = stats_of(open_backend())
    assert (after.dead, after.died) == (0, {"failed": 2, "expired": 1})


@pytest.mark.needs("exact")
def test_done_is_remembered_over_a_restart(open_backend: OpenBackend) -> None:
    before = open_backend()
    for _ in range(3):
        stored(before)
        before.ack(claimed(before))
    before.close()

    after = open_backend()
    assert stats_of(after).done == 3
    assert stats_of(after).running == 0


@pytest.mark.needs("exact", "priorities")
def test_the_oldest_is_found_behind_any_priority(open_backend: OpenBackend) -> None:
    now = 1_000
    backend = open_backend(clock=lambda: now)
    assert stored(backend, priority=7)
    now += 100
    stored(backend, priority=-3)
    now += 100
    stored(backend)

    assert stats_of(backend).oldest_due_at == 1_000
    claimed(backend)  # the urgent one
    assert stats_of(backend).oldest_due_at == 1_000
    claimed(backend)
    claimed(backend)
    assert stats_of(backend).oldest_due_at is None


@pytest.mark.needs("exact", "in_due_order")
def test_the_age_of_a_delayed_message_counts_from_when_it_is_due(open_backend: OpenBackend) -> None:
    now = 1_000
    backend = open_backend(clock=lambda: now)
    stored(backend, delay_ms=500)
    assert stats_of(backend).oldest_due_at is None

    now += 600
    assert stats_of(backend).oldest_due_at == 1_500  # though nobody has looked for it
    first = stored(backend)
    claimed(backend)
    assert stats_of(backend).oldest_due_at == 1_600
    assert found(backend, first).state == "ready"


class TestAMessageThatWasTriedBefore:
    """It has waited since it came in, however short a while ago it became due, or how far ahead it is."""

    def retried(self, backend: QueueBackend, *, queue: str = QUEUE, delay_ms: int = 60_000) -> Delivery:
        delivery = claimed(backend)
        backend.retry(delivery, queue=queue, payload=b"{}", delay_ms=delay_ms, error="no")
        return delivery

    @pytest.mark.needs("exact")
    def test_waits_while_it_is_delayed_and_is_run_and_no_longer(self, open_backend: OpenBackend) -> None:
        now = 1_000
        backend = open_backend(clock=lambda: now)
        stored(backend)
        now += 50
        self.retried(backend)

        stats = stats_of(backend)
        assert (stats.oldest_due_at, stats.waits_since, stats.counted_at) == (None, 1_000, 1_050)
        assert stats.seconds_since(stats.waits_since) == 0.05
        now += 60_000
        assert (stats_of(backend).oldest_due_at, stats_of(backend).waits_since) == (61_050, 1_000)
        again = claimed(backend)
        assert stats_of(backend).waits_since == 1_000
        backend.ack(again)
        backend.sync()
        assert stats_of(backend).waits_since is None

    @pytest.mark.needs("exact")
    def test_waits_after_its_worker_died(self, engine: Engine, open_backend: OpenBackend) -> None:
        dying, heir = open_backend(clock=lambda: 1_000), open_backend(clock=lambda: 9_000)
        stored(dying)
        dying.started(claimed(dying))
        engine.crash(dying)
        engine.recover(heir)

        claimed(heir)
        assert stats_of(heir).waits_since == 1_000

    def test_is_none_of_those_that_were_given_back_unrun_or_were_delayed_by_their_sender(
        self, open_backend: OpenBackend
    ) -> None:
        now = 1_000
        backend = open_backend(clock=lambda: now)
        stored(backend, delay_ms=60_000)
        stored(backend)
        backend.release([claimed(backend)], delay_ms=60_000)

        now += 1_000
        assert stats_of(backend).waits_since is None

    @pytest.mark.needs("exact")
    def test_goes_with_its_message(self, open_backend: OpenBackend) -> None:
        backend = open_backend(clock=lambda: 1_000)
        stored(backend)
        moved = self.retried(backend, queue="other", delay_ms=0)
        assert stats_of(backend).waits_since is None
        assert stats_of(backend, "other").waits_since == 1_000

        backend.nack(claimed(backend, "other"), reason="expired", error=None)
        assert stats_of(backend, "other").waits_since is None
        backend.replay(moved.message_id)
        claimed(backend, "other")
        assert stats_of(backend, "other").waits_since is None, "it has a clean record"

    def test_may_come_from_another_engine_and_go_there(self, open_backend: OpenBackend) -> None:
        backend = open_backend(clock=lambda: 9_000)
        stored(backend)
        message = found(backend, self.retried(backend).message_id)
        backend.remove([message])
        assert stats_of(backend).waits_since is None

        backend.adopt([message._replace(enqueued_at=1_000)])
        assert stats_of(backend).waits_since == 1_000
        backend.flush(QUEUE)
        assert [stats.waits_since for stats in backend.stats()] in ([None], [])


def test_ready_messages_are_listed_as_they_will_run_page_by_page(backend: QueueBackend) -> None:
    late, early = stored(backend, priority=1), stored(backend)
    last = stored(backend, priority=1)
    stored(backend, queue="other")

    assert [m.message_id for m in backend.list(QUEUE, "ready")] == [early, late, last]
    assert [m.message_id for m in backend.list(QUEUE, "ready", limit=1, offset=1)] == [late]


def test_delayed_and_running_messages_are_listed(backend: QueueBackend) -> None:
    running = stored(backend)
    claimed(backend)
    later, sooner = stored(backend, delay_ms=90_000), stored(backend, delay_ms=60_000)

    assert [m.message_id for m in backend.list(QUEUE, "running")] == [running]
    assert [m.message_id for m in backend.list(QUEUE, "delayed")] == [sooner, later]
    assert backend.list("unknown", "ready") == []


def test_an_unknown_message_is_none(backend: QueueBackend) -> None:
    assert backend.get("unknown") is None


def test_a_healthy_engine_passes_its_check(backend: QueueBackend) -> None:
    backend.check(timeout_s=30)
    assert list(backend.stats()) == []
