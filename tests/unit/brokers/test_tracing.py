"""Spans of what passes through a broker, and of nothing more."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dramatiq
import pytest
from dramatiq import Worker
from dramatiq.errors import QueueNotFound, Retry
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from brokers import SQLiteBroker
from brokers.durable import DurableBroker
from brokers.message_in_hand import current_message
from brokers.middleware import default_middleware
from brokers.middleware.tracing import FIRST_DELIVERY, Tracing
from tests.support.messages import send_aged
from tests.support.system import ROOT

PATIENCE_MS = 20_000


class Traced:
    """A broker whose spans are kept.

    Attributes:
      provider: for spans of a test's own.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        self.provider = TracerProvider(**options)
        self._exporter = InMemorySpanExporter()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        tracing = Tracing(self.provider, correlated_by="request_id")
        self.broker = SQLiteBroker(
            path,
            middleware=[tracing, *default_middleware(min_backoff_ms=1, max_backoff_ms=1, max_age_ms=60_000)],
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        """Those that ended, in the order in which they began."""
        return sorted(self._exporter.get_finished_spans(), key=lambda span: span.start_time or 0)

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        worker = Worker(self.broker, worker_threads=1, worker_timeout=50)
        worker.start()
        try:
            yield
            for queue in self.broker.get_declared_queues():
                self.broker.join(queue, timeout=PATIENCE_MS)
        finally:
            worker.stop()


@pytest.fixture
def make_traced(tmp_path: Path) -> Iterator[Callable[..., Traced]]:
    made: list[Traced] = []

    def make(**options: Any) -> Traced:
        made.append(Traced(tmp_path / "queue.db", **options))
        return made[-1]

    yield make
    for traced in made:
        traced.broker.close()
        traced.provider.shutdown()


@pytest.fixture
def traced(make_traced: Callable[..., Traced]) -> Traced:
    return make_traced()


def linked(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def span_id(span: ReadableSpan) -> int:
    context = span.get_span_context()
    assert context is not None
    return context.span_id


def parent_id(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def test_a_delivery_is_the_child_of_the_sending_and_linked_to_it(traced: Traced) -> None:
    @dramatiq.actor(broker=traced.broker, queue_name="talks")
    def talk() -> None:
        pass

    with traced.at_work():
        message = talk.send_with_options(delay=20, request_id="request-1")

    sent, processed = traced.spans
    assert (sent.name, sent.kind, sent.parent) == ("send talks", SpanKind.PRODUCER, None)
    assert (processed.name, processed.kind) == ("process talks", SpanKind.CONSUMER)
    assert parent_id(processed) == span_id(sent)
    assert linked(processed) == [span_id(sent)]
    both = {
        "messaging.system": "dramatiq",
        "messaging.destination.name": "talks",
        "messaging.message.id": message.message_id,
        "messaging.message.conversation_id": "request-1",
        "messaging.dramatiq.actor": "talk",
    }
    assert attributes(sent) == {
        **both,
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.dramatiq.delay_ms": 20,
    }
    assert attributes(processed) == {
        **both,
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.dramatiq.deliveries": 1,
        "messaging.dramatiq.outcome": "done",
    }
    assert (sent.status.status_code, processed.status.status_code) == (StatusCode.UNSET, StatusCode.UNSET)


def test_what_an_actor_sends_and_does_belongs_to_its_delivery(traced: Traced) -> None:
    @dramatiq.actor(broker=traced.broker)
    def child() -> None:
        pass

    @dramatiq.actor(broker=traced.broker)
    def parent() -> None:
        with traced.provider.get_tracer("mine").start_as_current_span("mine"):
            child.send()

    with traced.at_work(), traced.provider.get_tracer("mine").start_as_current_span("request") as request:
        parent.send()

    assert len({span.context.trace_id for span in traced.spans if span.context}) == 1
    by_id = {span_id(span): span for span in traced.spans}
    lineage, span = [], traced.spans[-1]
    while span.parent is not None:
        lineage.append(span.name)
        span = by_id[span.parent.span_id]
    assert span_id(span) == request.get_span_context().span_id
    assert lineage == ["process default", "send default", "mine", "process default", "send default"]


def test_a_retry_stays_in_the_trace_and_links_to_the_first_delivery(traced: Traced) -> None:
    @dramatiq.actor(broker=traced.broker, max_retries=2)
    def fail() -> None:
        raise ValueError("what a customer wrote")

    with traced.at_work():
        fail.send()

    [sent] = traced.named("send default")
    first, second, third = traced.named("process default")
    assert {parent_id(span) for span in (first, second, third)} == {span_id(sent)}
    assert linked(first) == [span_id(sent)]
    assert linked(second) == linked(third) == [span_id(sent), span_id(first)]
    outcomes = [attributes(span)["messaging.dramatiq.outcome"] for span in (first, second, third)]
    assert outcomes == ["retried", "retried", "failed"]
    assert [attributes(span)["messaging.dramatiq.deliveries"] for span in (first, second, third)] == [1, 2, 3]
    for span in (first, second, third):
        assert attributes(span)["error.type"] == "ValueError"
        assert span.status.status_code == StatusCode.ERROR
        assert "customer" not in span.to_json(), "the text of an error may quote anything"


def test_an_actor_that_asks_for_another_try_says_why_by_its_cause(traced: Traced) -> None:
    @dramatiq.actor(broker=traced.broker)
    def ask() -> None:
        message = current_message()
        if message is not None and message.delivery.deliveries == 1:
            try:
                raise TimeoutError
            except TimeoutError as error:
                raise Retry(delay=1) from error

    with traced.at_work():
        ask.send()

    first, second = traced.named("process default")
    assert attributes(first)["error.type"] == "TimeoutError"
    assert "error.type" not in attributes(second)


def test_a_message_that_comes_back_is_deferred_and_no_error(traced: Traced) -> None:
    @dramatiq.actor(broker=traced.broker)
    def come_back() -> None:
        message = current_message()
        assert message is not None
        if message.delivery.deliveries == 1:
            traced.broker.enqueue(message, delay=1)  # type: ignore[arg-type]  # a proxy of one

    with traced.at_work():
        come_back.send()

    first, second = traced.named("process default")
    outcomes = [attributes(span)["messaging.dramatiq.outcome"] for span in (first, second)]
    assert outcomes == ["deferred", "done"]
    assert first.status.status_code == StatusCode.UNSET
    assert len(traced.named("send default")) == 1


def test_an_expired_message_is_skipped(traced: Traced) -> None:
    @dramatiq.actor(broker=traced.broker)
    def talk() -> None:
        pass

    with traced.at_work():
        send_aged(traced.broker, talk.message(), age_ms=60_000)

    [processed] = traced.named("process default")
    assert attributes(processed)["messaging.dramatiq.outcome"] == "skipped"
    assert processed.status.status_code == StatusCode.ERROR


@pytest.mark.parametrize("is_async", [False, True])
def test_a_message_that_cannot_be_stored_says_so(
    traced: Traced, monkeypatch: pytest.MonkeyPatch, is_async: bool
) -> None:
    @dramatiq.actor(broker=traced.broker)
    def talk(words: str) -> None:
        pass

    def send() -> None:
        message = talk.message("x" * 2_000_000)
        if is_async:
            asyncio.run(traced.broker.enqueue_async(message))
        else:
            traced.broker.enqueue(message)

    with pytest.raises(dramatiq.DramatiqError):
        send()

    [sent] = traced.spans
    assert attributes(sent)["error.type"] == "MessageTooLarge"
    assert sent.status.status_code == StatusCode.ERROR


def test_what_never_began_to_be_stored_has_no_span(traced: Traced) -> None:
    message: dramatiq.Message[Any] = dramatiq.Message("nowhere", "nothing", (), {}, {})
    with pytest.raises(QueueNotFound):
        traced.broker.enqueue(message)
    assert traced.spans == []


def test_a_context_that_came_with_the_message_is_kept_and_linked(traced: Traced) -> None:
    @dramatiq.actor(broker=traced.broker)
    def talk() -> None:
        pass

    theirs = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with traced.at_work():
        talk.send_with_options(traceparent=theirs, tracestate="vendor=1")

    sent, processed = traced.spans
    assert linked(sent) == linked(processed) == [0xB7AD6B7169203331]
    assert processed.parent is not None
    assert processed.parent.trace_id == 0x0AF7651916CD43DD8448EB211C80319C
    assert processed.parent.trace_state.get("vendor") == "1"


def test_what_names_no_context_is_none(traced: Traced) -> None:
    @dramatiq.actor(broker=traced.broker)
    def talk() -> None:
        pass

    with traced.at_work():
        talk.send_with_options(traceparent="nonsense")

    sent, processed = traced.spans
    assert parent_id(processed) == span_id(sent)
    assert linked(sent) == []


def test_options_of_actors_and_messages_stay_what_they_were(traced: Traced) -> None:
    seen: list[dict[str, Any]] = []

    @dramatiq.actor(broker=traced.broker, max_retries=1, time_limit=5_000)
    def look() -> None:
        message = current_message()
        assert message is not None
        seen.append(dict(message.options))

    with traced.at_work():
        look.send_with_options(max_retries=3, mine={"a": 1})

    assert look.options["max_retries"] == 1
    assert look.options["time_limit"] == 5_000
    [options] = seen
    assert {"max_retries": 3, "mine": {"a": 1}}.items() <= options.items()
    assert options.keys() == {"max_retries", "mine", "traceparent", FIRST_DELIVERY}


def test_a_thread_is_left_as_it_was_found(traced: Traced) -> None:
    @dramatiq.actor(broker=traced.broker, max_retries=0)
    def fail() -> None:
        raise ValueError

    consumer = traced.broker.consume("default", prefetch=8, timeout=PATIENCE_MS)
    for _ in range(2):
        fail.send()
    first, second = next(consumer), next(consumer)
    assert first is not None
    assert second is not None
    traced.broker.emit_before("process_message", first)
    assert get_current_span().get_span_context().is_valid
    traced.broker.emit_before("process_message", second)  # the one before ended without a word
    traced.broker.emit_after("process_message", second, exception=ValueError())
    assert not get_current_span().get_span_context().is_valid
    assert len(traced.named("process default")) == 2
    consumer.requeue([first, second])
    consumer.close()


def test_what_is_not_sampled_is_not_sampled_anywhere(make_traced: Callable[..., Traced]) -> None:
    traced = make_traced(sampler=ALWAYS_OFF)
    sampled: list[bool] = []

    @dramatiq.actor(broker=traced.broker)
    def talk() -> None:
        message = current_message()
        assert message is not None
        sampled.append(bool(int(message.options["traceparent"][-2:], 16) & 1))

    with traced.at_work():
        talk.send()

    assert traced.spans == []
    assert sampled == [False]


@pytest.mark.starts_processes
def test_the_broker_needs_no_opentelemetry(tmp_path: Path) -> None:
    program = """
import sys
sys.modules["opentelemetry"] = None
import dramatiq, brokers
from brokers.middleware import default_middleware
broker = brokers.SQLiteBroker("queue.db", middleware=default_middleware())

@dramatiq.actor(broker=broker)
def talk():
    pass

talk.send()
broker.close()
"""
    subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)}, timeout=60, check=True
    )


def test_without_a_provider_it_does_nothing(tmp_path: Path) -> None:
    broker: DurableBroker = SQLiteBroker(tmp_path / "queue.db", middleware=[Tracing(), *default_middleware()])

    @dramatiq.actor(broker=broker)
    def talk() -> None:
        pass

    assert talk.send().options == {}
    broker.close()
