"""Messages to try an engine with."""

from __future__ import annotations

import uuid
from typing import Any

from dramatiq import Message

from brokers.backend import QueueBackend
from brokers.durable import DurableBroker
from brokers.outgoing import to_store
from brokers.records import Delivery, QueueMessage, QueueStats, StoredMessage

QUEUE = "default"

#: How long to wait for what must come. Generous: a deadline for what would otherwise hang.
PATIENCE_S = 30.0


def a_message(**fields: Any) -> QueueMessage:
    """A message like any other, but for the fields given."""
    message = QueueMessage(message_id=str(uuid.uuid4()), queue=QUEUE, actor="work", payload=b"{}")
    return message._replace(**fields)


def stored(backend: QueueBackend, **fields: Any) -> str:
    """Store a message; return its id."""
    message = a_message(**fields)
    assert backend.enqueue(message)
    return message.message_id


def send_aged(broker: DurableBroker, message: Message[Any], *, age_ms: int) -> None:
    """Enqueue a message as if it had come in so long ago."""
    broker.backend.enqueue(to_store(message, None, broker.actors, waited_ms=age_ms))


def claimed(backend: QueueBackend, queue: str = QUEUE) -> Delivery:
    """Claim the next message, waiting for it."""
    [delivery] = backend.dequeue(queue, limit=1, timeout_s=PATIENCE_S)
    return delivery


def claimable(backend: QueueBackend, *, limit: int = 100, queue: str = QUEUE) -> list[str]:
    """The ids of what can be claimed at once, in that order."""
    message_ids: list[str] = []
    while len(message_ids) < limit:
        batch = backend.dequeue(queue, limit=limit - len(message_ids), timeout_s=0)
        if not batch:
            break
        message_ids += [delivery.message_id for delivery in batch]
    return message_ids


def buried(backend: QueueBackend, **fields: Any) -> str:
    """Store a message and make it a dead letter; return its id."""
    message_id = stored(backend, **fields)
    delivery = claimed(backend, fields.get("queue", QUEUE))
    assert delivery.message_id == message_id
    backend.nack(delivery, reason="failed", error="ValueError: no")
    return message_id


def found(backend: QueueBackend, message_id: str) -> StoredMessage:
    """The message of that id, which must be there."""
    message = backend.get(message_id)
    assert message is not None, f"{message_id} is not there"
    return message


def stats_of(backend: QueueBackend, queue: str = QUEUE) -> QueueStats:
    """One queue's numbers."""
    [stats] = [stats for stats in backend.stats() if stats.queue == queue]
    return stats
