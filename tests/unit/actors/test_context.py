"""Log lines say which message they are about, and a thread forgets it when it is done."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import dramatiq
import pytest
import structlog
from dramatiq import Middleware, Worker
from structlog.contextvars import bound_contextvars, get_contextvars

from actors.context import LogContext
from brokers import SQLiteBroker
from brokers.durable import DurableBroker
from brokers.middleware import default_middleware
from tests.support.messages import send_aged

PATIENCE_MS = 20_000


class Seen(logging.Handler):
    """What was logged, with what was bound when it was."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, dict[str, Any]]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.getMessage(), get_contextvars()))

    def about(self, beginning: str) -> list[dict[str, Any]]:
        """What was bound at each line that begins so."""
        return [bound for line, bound in self.lines if line.startswith(beginning)]


@pytest.fixture
def seen() -> Iterator[Seen]:
    handler = Seen()
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield handler
    root.setLevel(level)
    root.removeHandler(handler)


@pytest.fixture
def make_broker(tmp_path: Path) -> Iterator[Callable[..., DurableBroker]]:
    opened: list[DurableBroker] = []

    def make(*more: Middleware) -> DurableBroker:
        middleware = [
            LogContext(),
            *default_middleware(min_backoff_ms=1, max_backoff_ms=1, max_age_ms=60_000),
            *more,
        ]
        opened.append(SQLiteBroker(tmp_path / "queue.db", middleware=middleware))
        return opened[-1]

    yield make
    for broker in opened:
        broker.close()


@contextmanager
def at_work(broker: DurableBroker) -> Iterator[None]:
    worker = Worker(broker, worker_threads=1, worker_timeout=50)
    worker.start()
    try:
        yield
        for queue in broker.get_declared_queues():
            broker.join(queue, timeout=PATIENCE_MS)
    finally:
        worker.stop()


log = logging.getLogger(__name__)


def test_a_line_says_which_message_it_is_about(make_broker: Callable[..., DurableBroker], seen: Seen) -> None:
    broker = make_broker()

    @dramatiq.actor(broker=broker, queue_name="talks")
    def talk() -> None:
        log.info("talking")

    with at_work(broker):
        first = talk.send()
        with bound_contextvars(request_id="request-1"):
            second = talk.send()

    expected = {"actor": "talk", "queue": "talks"}
    assert seen.about("talking") == [
        {**expected, "message_id": first.message_id},
        {**expected, "message_id": second.message_id, "request_id": "request-1"},
    ]


def test_dramatiqs_own_lines_and_every_delivery_say_so_too(
    make_broker: Callable[..., DurableBroker], seen: Seen
) -> None:
    broker = make_broker()

    @dramatiq.actor(broker=broker, max_retries=1)
    def fail() -> None:
        raise ValueError("no")

    with at_work(broker), bound_contextvars(request_id="request-1"):
        message = fail.send()

    bound = {
        "actor": "fail",
        "queue": "default",
        "message_id": message.message_id,
        "request_id": "request-1",
    }
    assert seen.about("Failed to process message") == [bound, {**bound, "deliveries": 2}]
    assert seen.about("Retrying message") == [bound]
    assert seen.about("Retries exceeded") == [{**bound, "deliveries": 2}]


def test_what_is_enqueued_inherits_the_request_and_keeps_its_own(
    make_broker: Callable[..., DurableBroker], seen: Seen
) -> None:
    broker = make_broker()

    @dramatiq.actor(broker=broker)
    def child() -> None:
        log.info("child")

    @dramatiq.actor(broker=broker)
    def parent() -> None:
        child.send()
        child.send_with_options(request_id="its own")

    with at_work(broker), bound_contextvars(request_id="request-1"):
        parent.send()

    assert sorted(bound["request_id"] for bound in seen.about("child")) == ["its own", "request-1"]


class Complains(Middleware):
    """Has something to say of every message, once the actor and the other middleware are done."""

    def before_ack(self, *_: Any) -> None:
        log.warning("acked")

    def before_nack(self, *_: Any) -> None:
        log.warning("nacked")


def test_until_a_message_is_settled_it_is_bound_and_then_nothing_is(
    make_broker: Callable[..., DurableBroker], seen: Seen
) -> None:
    left: list[dict[str, Any]] = []

    class Looks(Middleware):
        def after_ack(self, *_: Any) -> None:
            left.append(get_contextvars())

        def after_nack(self, *_: Any) -> None:
            left.append(get_contextvars())

    broker = make_broker(Complains())
    broker.add_middleware(Looks(), before=LogContext)  # after it, on the way back

    @dramatiq.actor(broker=broker, max_retries=0)
    def talk(then: str) -> None:
        structlog.contextvars.bind_contextvars(contact="somebody")
        if then == "fail":
            raise ValueError("no")

    with at_work(broker):
        talk.send("be done")
        talk.send("fail")
        old = talk.message("be late")
        send_aged(broker, old, age_ms=60_000)  # skipped: it is too old

    assert [bound["contact"] for bound in seen.about("acked")] == ["somebody"]
    about_failed, about_skipped = seen.about("nacked")
    assert about_failed["contact"] == "somebody"
    assert "contact" not in about_skipped
    assert about_skipped["message_id"] == old.message_id
    assert seen.about("Message talk") == [about_skipped]
    assert left == [{}, {}, {}]


def test_a_thread_whose_last_message_was_never_settled_starts_clean(
    make_broker: Callable[..., DurableBroker],
) -> None:
    broker = make_broker()

    @dramatiq.actor(broker=broker)
    def talk() -> None:
        pass

    with closing(broker.consume("default", prefetch=2, timeout=PATIENCE_MS)) as consumer:
        with bound_contextvars(request_id="request-1"):
            talk.send()
        first = next(consumer)
        assert first is not None
        broker.emit_before("process_message", first)
        assert get_contextvars()["request_id"] == "request-1"
        broker.emit_after("process_message", first)
        consumer.ack(first)  # and the worker's after_ack never comes

        structlog.contextvars.unbind_contextvars("request_id")
        second = talk.send()
        next_one = next(consumer)
        assert next_one is not None
        broker.emit_before("process_message", next_one)
        assert get_contextvars() == {"actor": "talk", "queue": "default", "message_id": second.message_id}
        broker.emit_after("process_message", next_one)
        consumer.ack(next_one)
        broker.emit_after("ack", next_one)
        assert get_contextvars() == {}
