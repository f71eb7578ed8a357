"""What is handed out, and what becomes of it when the engine is away."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dramatiq import Message
from dramatiq.errors import BrokerConnectionError

from brokers.consumer import DurableConsumer
from brokers.durable import DurableBroker
from brokers.durable_message import DurableMessage
from brokers.errors import EngineError
from brokers.records import Delivery
from brokers.sqlite.backend import SQLiteBackend
from tests.support.messages import QUEUE, a_message, stats_of


class Backend(SQLiteBackend):
    """An engine that can go away while messages are settled. Of some it says that workers died under them."""

    is_away = False
    suspects: frozenset[str] = frozenset()

    def dequeue(self, *args: Any, **kwargs: Any) -> list[Delivery]:
        return [
            each._replace(crashes=self.max_deliveries - 1) if each.message_id in self.suspects else each
            for each in super().dequeue(*args, **kwargs)
        ]

    def nack(self, *args: Any, **kwargs: Any) -> None:
        self._fail()
        super().nack(*args, **kwargs)

    def retry(self, *args: Any, **kwargs: Any) -> None:
        self._fail()
        super().retry(*args, **kwargs)

    def release(self, *args: Any, **kwargs: Any) -> None:
        self._fail()
        super().release(*args, **kwargs)

    def _fail(self) -> None:
        if self.is_away:
            raise EngineError("away")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    with closing(Backend(tmp_path / "queue.db")) as backend:
        yield backend


@pytest.fixture
def broker(backend: Backend) -> DurableBroker:
    broker = DurableBroker(backend, middleware=[])
    broker.declare_queue(QUEUE)
    return broker


def a_consumer(broker: DurableBroker) -> DurableConsumer:
    return broker.consume(QUEUE, prefetch=16, timeout=0)


def sent(broker: DurableBroker) -> str:
    message: Message[None] = Message(QUEUE, "actor", (), {}, {})
    broker.enqueue(message)
    return message.message_id


def handed_out(consumer: DurableConsumer) -> DurableMessage:
    message = next(consumer)
    assert message is not None
    return message


def settled_by_ack(consumer: DurableConsumer, message: DurableMessage) -> None:
    message.processed = True
    consumer.ack(message)


def settled_by_retry(consumer: DurableConsumer, message: DurableMessage) -> None:
    message.processed = True
    message.retry_later(message, 60_000)
    consumer.ack(message)


def given_back_by_ack(consumer: DurableConsumer, message: DurableMessage) -> None:
    consumer.ack(message)  # of what was not processed to its end


def settled_by_nack(consumer: DurableConsumer, message: DurableMessage) -> None:
    consumer.nack(message)


def given_back(consumer: DurableConsumer, message: DurableMessage) -> None:
    consumer.requeue([message])


WAYS_OUT = [settled_by_ack, settled_by_retry, given_back_by_ack, settled_by_nack, given_back]


@pytest.mark.parametrize("ends", WAYS_OUT)
def test_a_suspect_is_handed_out_when_nothing_else_is_in_hand(
    backend: Backend, broker: DurableBroker, ends: Callable[[DurableConsumer, DurableMessage], None]
) -> None:
    sent(broker)
    suspect = sent(broker)
    behind = sent(broker)
    backend.suspects = frozenset({suspect})

    consumer = a_consumer(broker)
    first = handed_out(consumer)
    assert next(consumer) is None
    assert (stats_of(backend).running, stats_of(backend).ready) == (2, 1), "what is behind it others may run"
    ends(consumer, first)
    assert handed_out(consumer).message_id == suspect
    assert next(consumer) is None
    assert behind in {message.message_id for message in backend.list(QUEUE, "ready")}


@pytest.mark.parametrize("ends", WAYS_OUT)
def test_others_are_handed_out_when_the_suspect_is_not_in_hand_any_more(
    backend: Backend, broker: DurableBroker, ends: Callable[[DurableConsumer, DurableMessage], None]
) -> None:
    suspect = sent(broker)
    backend.suspects = frozenset({suspect})
    consumer = a_consumer(broker)
    alone = handed_out(consumer)
    sent(broker)
    assert next(consumer) is None
    assert stats_of(backend).ready == 1, "it is not even claimed"

    backend.suspects = frozenset()
    ends(consumer, alone)
    handed_out(consumer)


def test_a_suspect_keeps_other_queues_waiting_too(backend: Backend, broker: DurableBroker) -> None:
    broker.declare_queue("other")
    for _ in range(2):
        broker.enqueue(Message("other", "actor", (), {}, {}))
    other = broker.consume("other", prefetch=16, timeout=0)
    before = handed_out(other)

    backend.suspects = frozenset({sent(broker)})
    consumer = a_consumer(broker)
    assert next(consumer) is None
    assert next(other) is None
    assert stats_of(backend, "other").ready == 1, "others may run what was claimed already"
    settled_by_ack(other, before)
    alone = handed_out(consumer)
    assert next(other) is None
    settled_by_ack(consumer, alone)
    handed_out(other)


def test_a_suspect_that_waits_is_given_back_with_the_rest(backend: Backend, broker: DurableBroker) -> None:
    sent(broker)
    backend.suspects = frozenset({sent(broker)})
    consumer = a_consumer(broker)
    handed_out(consumer)
    assert next(consumer) is None
    consumer.close()
    assert stats_of(backend).running == 1
    sent(broker)
    backend.suspects = frozenset()
    handed_out(a_consumer(broker))


def test_what_cannot_be_given_back_is_given_back_by_the_next_consumer(
    backend: Backend, broker: DurableBroker
) -> None:
    backend.enqueue(a_message(payload=b"no message at all"))
    message_id = sent(broker)

    consumer = a_consumer(broker)
    backend.is_away = True
    with pytest.raises(BrokerConnectionError):
        next(consumer)
    with pytest.raises(BrokerConnectionError):
        consumer.close()
    with pytest.raises(BrokerConnectionError):
        next(a_consumer(broker))
    assert stats_of(backend).running == 2

    backend.is_away = False
    message = handed_out(a_consumer(broker))
    assert message.message_id == message_id
    assert message.delivery.deliveries == 1, "the first one did not count"
    assert (stats_of(backend).running, stats_of(backend).dead) == (1, 1)


@pytest.mark.parametrize("settle", [settled_by_retry, given_back_by_ack, settled_by_nack, given_back])
def test_a_worker_that_stops_does_not_wait_for_an_engine_that_is_away(
    backend: Backend, broker: DurableBroker, settle: Callable[[DurableConsumer, DurableMessage], None]
) -> None:
    """Dramatiq would try for as long as the process lives, which is as long as it may take to stop."""
    sent(broker)
    consumer = a_consumer(broker)
    message = handed_out(consumer)
    backend.is_away = True
    with pytest.raises(BrokerConnectionError):
        settle(consumer, message)

    broker.emit_before("worker_shutdown", None)
    settle(consumer, message)
    consumer.close()


def test_the_next_worker_of_a_broker_waits_for_its_engine_again(
    backend: Backend, broker: DurableBroker
) -> None:
    broker.emit_before("worker_shutdown", None)
    broker.emit_before("worker_boot", None)
    sent(broker)
    consumer = a_consumer(broker)
    message = handed_out(consumer)
    backend.is_away = True
    with pytest.raises(BrokerConnectionError):
        settled_by_nack(consumer, message)
    backend.is_away = False
    settled_by_nack(consumer, message)
    assert stats_of(backend).dead == 1
