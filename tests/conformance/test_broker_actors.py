"""Dramatiq's actors on a durable broker: everything they can do elsewhere, they can do here."""

from __future__ import annotations

import asyncio
import queue
import threading
from contextlib import closing
from typing import Any

import dramatiq
import pytest
from dramatiq import Message, Worker
from dramatiq.errors import QueueJoinTimeout, QueueNotFound

from brokers.durable import DurableBroker
from brokers.errors import MessageTooLarge
from brokers.message_in_hand import current_message
from tests.support.engines import Engine
from tests.support.messages import PATIENCE_S, QUEUE, found, stats_of
from tests.support.waiting import eventually

from .conftest import declare, working


class Calls(queue.SimpleQueue[Any]):
    """What actors were called with, in order."""

    def next(self) -> Any:
        """Waits for it."""
        return self.get(timeout=PATIENCE_S)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.mark.needs("exact")
def test_a_sent_message_is_run_and_then_done(broker: DurableBroker, worker: Worker, calls: Calls) -> None:
    @dramatiq.actor(broker=broker)
    def greet(name: str, *, loudly: bool = False) -> None:
        calls.put((name, loudly))

    greet.send("Ana")
    greet.send("Zé", loudly=True)

    assert sorted([calls.next(), calls.next()]) == [("Ana", False), ("Zé", True)]
    broker.join(QUEUE, timeout=30_000)
    broker.backend.sync()
    assert stats_of(broker.backend).done == 2


def test_messages_sent_before_a_worker_starts_wait_for_it(broker: DurableBroker, calls: Calls) -> None:
    greet = declare(broker, calls.put, actor_name="greet")
    greet.send("Ana")

    with working(broker):
        assert calls.next() == "Ana"


def test_a_delayed_message_runs_when_it_is_due(broker: DurableBroker, worker: Worker, calls: Calls) -> None:
    greet = declare(broker, calls.put, actor_name="greet")
    later = greet.send_with_options(args=("later",), delay=400)
    greet.send("now")

    due_at = found(broker.backend, later.message_id).due_at
    assert due_at >= later.message_timestamp + 400
    assert [calls.next(), calls.next()] == ["now", "later"]


def test_a_worker_holds_no_delayed_message(broker: DurableBroker, worker: Worker, calls: Calls) -> None:
    greet = declare(broker, calls.put, actor_name="greet")
    delayed = greet.send_with_options(args=("later",), delay=60_000)
    greet.send("now")

    assert calls.next() == "now"
    assert found(broker.backend, delayed.message_id).state == "delayed"
    assert broker.get_declared_delay_queues() == set()
    assert set(worker.consumers) == {QUEUE}


@pytest.mark.needs("priorities")
def test_an_actors_priority_counts_in_the_engine(broker: DurableBroker, calls: Calls) -> None:
    low = declare(broker, lambda: calls.put("low"), actor_name="low", priority=10)
    high = declare(broker, lambda: calls.put("high"), actor_name="high", priority=1)
    low.send()
    high.send()

    with working(broker, threads=1):
        assert [calls.next(), calls.next()] == ["high", "low"]


def test_each_queue_has_its_messages(broker: DurableBroker, worker: Worker, calls: Calls) -> None:
    here = declare(broker, calls.put, actor_name="here")
    there = declare(broker, calls.put, actor_name="there", queue_name="other")
    here.send(1)
    there.send(2)

    assert {calls.next(), calls.next()} == {1, 2}


def test_a_pipeline_passes_its_results_on(broker: DurableBroker, worker: Worker, calls: Calls) -> None:
    double = declare(broker, lambda number: 2 * number, actor_name="double")
    keep = declare(broker, calls.put, actor_name="keep")

    steps = [double.message(1), double.message(), keep.message()]
    dramatiq.pipeline(steps, broker=broker).run()
    assert calls.next() == 4


def test_callbacks_follow_success_and_failure(broker: DurableBroker, worker: Worker, calls: Calls) -> None:
    @dramatiq.actor(broker=broker)
    def after(message: dict[str, Any], outcome: Any) -> None:
        calls.put((message["args"], outcome))

    @dramatiq.actor(broker=broker, max_retries=0, on_success="after", on_failure="after")
    def reciprocal(number: int) -> float:
        return 1 / number

    reciprocal.send(2)
    assert calls.next() == ([2], 0.5)
    reciprocal.send(0)
    assert calls.next() == ([0], {"type": "ZeroDivisionError", "message": "division by zero"})


def test_enqueueing_from_an_event_loop(broker: DurableBroker, worker: Worker, calls: Calls) -> None:
    greet = declare(broker, calls.put, actor_name="greet")

    async def greet_all() -> list[Message[Any]]:
        return await asyncio.gather(*(broker.enqueue_async(greet.message(n)) for n in range(20)))

    assert [message.args for message in asyncio.run(greet_all())] == [(n,) for n in range(20)]
    assert sorted(calls.next() for _ in range(20)) == list(range(20))


@pytest.mark.needs("unique_ids")
def test_a_message_enqueued_twice_runs_once(broker: DurableBroker, calls: Calls) -> None:
    greet = declare(broker, calls.put, actor_name="greet")
    message = greet.message("once")
    broker.enqueue(message)
    broker.enqueue(message)

    with working(broker):
        broker.join(QUEUE, timeout=30_000)
    assert [calls.next(), calls.empty()] == ["once", True]


def test_an_undeclared_queue_is_refused(broker: DurableBroker) -> None:
    message: Message[Any] = Message("nowhere", "greet", (), {}, {})

    with pytest.raises(QueueNotFound):
        broker.enqueue(message)
    with pytest.raises(QueueNotFound):
        asyncio.run(broker.enqueue_async(message))
    for verb in (broker.consume, broker.join, broker.flush):
        with pytest.raises(QueueNotFound):
            verb("nowhere")


def test_a_message_too_large_is_refused(engine: Engine) -> None:
    with closing(engine.broker(middleware=[], max_message_bytes=1_000)) as broker:
        greet = declare(broker, print, actor_name="greet")
        with pytest.raises(MessageTooLarge):
            greet.send("x" * 1_000)


def test_join_gives_up_when_told_to(broker: DurableBroker) -> None:
    declare(broker, print, actor_name="greet").send_with_options(delay=60_000)

    with pytest.raises(QueueJoinTimeout):
        broker.join(QUEUE, timeout=100)


def test_join_waits_for_what_runs(broker: DurableBroker, worker: Worker) -> None:
    may_end, has_begun = threading.Event(), threading.Event()

    @dramatiq.actor(broker=broker)
    def slow() -> None:
        has_begun.set()
        may_end.wait(PATIENCE_S)

    slow.send()
    assert has_begun.wait(PATIENCE_S)
    with pytest.raises(QueueJoinTimeout):
        broker.join(QUEUE, timeout=100)
    may_end.set()
    broker.join(QUEUE, timeout=30_000)


@pytest.mark.needs("dead_letters")
def test_flushing_one_queue_or_all(broker: DurableBroker) -> None:
    here = declare(broker, print, actor_name="here")
    there = declare(broker, print, actor_name="there", queue_name="other")
    for actor in (here, there):
        actor.send()
        actor.send_with_options(delay=60_000)

    broker.flush(QUEUE)
    assert (stats_of(broker.backend).ready, stats_of(broker.backend).delayed) == (0, 0)
    assert stats_of(broker.backend, "other").ready == 1
    broker.flush_all()
    assert (stats_of(broker.backend, "other").ready, stats_of(broker.backend, "other").delayed) == (0, 0)


def test_stopping_gives_back_what_never_started(broker: DurableBroker, engine: Engine) -> None:
    may_end, has_begun, begun = threading.Event(), threading.Event(), list[str]()

    @dramatiq.actor(broker=broker)
    def slow() -> None:
        message = current_message()
        assert message is not None
        begun.append(message.message_id)
        has_begun.set()
        may_end.wait(PATIENCE_S)

    messages = [slow.send() for _ in range(5)]
    worker = Worker(broker, worker_timeout=50, worker_threads=1)
    worker.start()
    assert has_begun.wait(PATIENCE_S)
    stopping = threading.Thread(target=worker.stop)
    stopping.start()
    eventually(lambda: not any(thread.is_alive() for thread in worker.consumers.values()))
    eventually(lambda: (stats_of(broker.backend).ready, stats_of(broker.backend).running) == (4, 1))
    messages.append(slow.send())
    assert found(broker.backend, begun[0]).state == "running", "and is not waited for"
    may_end.set()
    stopping.join(PATIENCE_S)

    broker.backend.sync()
    assert broker.backend.get(begun[0]) is None, "what had begun was finished"
    for message_id in {message.message_id for message in messages} - {begun[0]}:
        waiting = found(broker.backend, message_id)
        assert (waiting.state, waiting.deliveries) == ("ready", 0)
