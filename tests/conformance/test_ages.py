"""A message's age is told by the engine's clock: those of its sender and its worker may be a day off."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import dramatiq
import pytest
from dramatiq.middleware import Pipelines

from brokers.durable import DurableBroker
from brokers.middleware import default_middleware
from tests.support.engines import Engine
from tests.support.messages import PATIENCE_S, claimed, found, send_aged, stored
from tests.support.waiting import eventually

from .conftest import OpenBackend, declare, working

HOUR_MS, DAY_MS = 3_600_000, 86_400_000

off_by = pytest.mark.parametrize("off_ms", [-DAY_MS, DAY_MS], ids=["behind", "ahead"])


@pytest.fixture
def broker(engine: Engine) -> Iterator[DurableBroker]:
    """A broker whose messages live for an hour."""
    with closing(engine.broker(middleware=default_middleware(max_age_ms=HOUR_MS))) as broker:
        yield broker


@off_by
def test_a_senders_clock_does_not_matter(broker: DurableBroker, off_ms: int) -> None:
    ran = threading.Event()
    message = declare(broker, ran.set, actor_name="work").message()
    broker.enqueue(message.copy(message_timestamp=message.message_timestamp + off_ms))
    with working(broker):
        assert ran.wait(PATIENCE_S)


@off_by
def test_a_workers_clock_does_not_matter(
    engine: Engine, broker: DurableBroker, off_ms: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not engine.HAS_A_CLOCK_OF_ITS_OWN:
        pytest.skip("all processes of one machine have one clock")
    ran = threading.Event()
    message = declare(broker, ran.set, actor_name="work").send()
    true_time, true_time_ns = time.time, time.time_ns
    monkeypatch.setattr(time, "time", lambda: true_time() + off_ms / 1000)
    monkeypatch.setattr(time, "time_ns", lambda: true_time_ns() + off_ms * 1_000_000)
    with working(broker):
        assert ran.wait(PATIENCE_S)
        eventually(lambda: broker.backend.get(message.message_id) is None)


def test_a_message_is_as_old_as_the_engine_says(broker: DurableBroker) -> None:
    old = declare(broker, print, actor_name="work").message()
    send_aged(broker, old, age_ms=HOUR_MS)
    with working(broker):
        eventually(lambda: found(broker.backend, old.message_id).state == "dead")
    assert found(broker.backend, old.message_id).reason == "expired"


def test_a_replayed_message_is_young_and_ages_again(broker: DurableBroker) -> None:
    def work() -> None:
        raise dramatiq.Retry(delay=DAY_MS)

    message = declare(broker, work, actor_name="work").message()
    send_aged(broker, message, age_ms=HOUR_MS)
    with working(broker):
        eventually(lambda: found(broker.backend, message.message_id).state == "dead")
        broker.replay(message.message_id)
        eventually(lambda: found(broker.backend, message.message_id).state == "delayed")
    waiting = found(broker.backend, message.message_id)
    assert 0 <= waiting.due_at - broker.backend.now_ms() <= HOUR_MS, "it expires an hour after the replay"
    assert waiting.due_at - waiting.enqueued_at > HOUR_MS


def test_the_next_of_a_pipeline_is_as_old_as_the_first(engine: Engine) -> None:
    with closing(engine.broker(middleware=[Pipelines(), *default_middleware(max_age_ms=HOUR_MS)])) as broker:
        first = declare(broker, lambda: None, actor_name="first", queue_name="a")
        second = declare(broker, print, actor_name="second", queue_name="b")
        follow_up = declare(broker, print, actor_name="follow_up", queue_name="c")
        pipeline = dramatiq.pipeline(
            [first.message(), second.message_with_options(pipe_ignore=True)], broker=broker
        )
        message, follower = pipeline.messages
        message.options["on_success"] = follow_up.actor_name
        send_aged(broker, message, age_ms=HOUR_MS // 2)
        with closing(broker.consume("a")) as consumer:
            in_hand = next(consumer)
            assert in_hand is not None
            broker.emit_before("process_message", in_hand)
            broker.emit_after("process_message", in_hand, result=None)
            consumer.ack(in_hand)

        stored = found(broker.backend, follower.message_id)
        assert HOUR_MS // 2 <= stored.due_at - stored.enqueued_at < HOUR_MS
        assert claimed(broker.backend, "c").age_ms < HOUR_MS // 2, "this is a message of its own"


def test_what_came_in_elsewhere_counts_from_then(open_backend: OpenBackend) -> None:
    now = 10_000
    backend = open_backend(clock=lambda: now)
    message_id = stored(backend, waited_ms=4_000)
    assert (found(backend, message_id).enqueued_at, found(backend, message_id).due_at) == (6_000, 10_000)

    now += 500
    delivery = claimed(backend)
    assert (delivery.enqueued_at, delivery.claimed_at) == (6_000, 10_500)
    assert 4_500 <= delivery.age_ms < 4_500 + 60_000
    assert backend.now_ms() == 10_500
