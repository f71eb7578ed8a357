"""The Dramatiq brokers that are compared, and the messages they carry."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Callable, Iterable
from typing import Any, Literal

import dramatiq
from dramatiq import Broker, Message
from dramatiq.brokers.stub import StubBroker

from brokers import BullMQBroker, RedisBroker, SQLiteBroker
from brokers.clock import now_ms
from brokers.durable import DurableBroker
from brokers.records import QueueMessage
from brokers.sqlite import SQLiteBackend
from tests.support.waiting import eventually

from .harness import PART_WITHIN_S

Kind = Literal["recado", "recado-redis", "recado-bullmq", "stub", "redis", "dramatiq-sqlite"]

QUEUE = "bench"

#: Makes an encoded message of some 500 bytes.
BODY = "What was said, " * 20

#: Worker threads of a process: Dramatiq's default.
THREADS = 8

#: How many messages `fill` writes in one transaction.
FILL_AT_ONCE = 5_000


def open_broker(kind: Kind, where: str) -> Broker:
    """A broker with its own default middleware.

    Parameters:
      kind: which one.
      where: the database file, or the server's URL.
    """
    match kind:
        case "recado":
            return SQLiteBroker(where)
        case "recado-redis":
            return RedisBroker(where)
        case "recado-bullmq":
            return BullMQBroker(where)
        case "stub":
            return StubBroker()
        case "redis":
            from dramatiq.brokers.redis import RedisBroker as UpstreamRedisBroker

            return UpstreamRedisBroker(url=where)
        case "dramatiq-sqlite":
            from dramatiq_sqlite import SQLiteBroker as OtherSQLiteBroker

            broker: Broker = OtherSQLiteBroker(url=where)
            return broker


def declare(broker: Broker, function: Callable[..., None]) -> dramatiq.Actor[..., None]:
    """Make an actor of a function."""
    return dramatiq.actor(broker=broker, queue_name=QUEUE)(function)


def message_for(actor: str, *args: Any) -> Message[Any]:
    """A message for an actor that another process declares."""
    return Message(queue_name=QUEUE, actor_name=actor, args=args, kwargs={}, options={})


def stored(message: Message[Any]) -> QueueMessage:
    """A message as the engine takes it."""
    return QueueMessage(message.message_id, message.queue_name, message.actor_name, message.encode())


def plain(*, queue: str = QUEUE, delay_ms: int = 0) -> QueueMessage:
    """A message of the usual size, for measuring an engine without Dramatiq."""
    return QueueMessage(str(uuid.uuid4()), queue, "nothing", BODY.encode() + b" " * 200, delay_ms=delay_ms)


def fill(backend: SQLiteBackend, messages: Iterable[QueueMessage]) -> None:
    """Store many messages quickly: the engine's own insert, thousands in a transaction."""
    waiting = iter(messages)
    while chunk := list(itertools.islice(waiting, FILL_AT_ONCE)):
        backend.database.write(lambda c, chunk=chunk: _insert_all(backend, c, chunk))  # type: ignore[misc]


def _insert_all(backend: SQLiteBackend, connection: Any, messages: list[QueueMessage]) -> None:
    now = now_ms()
    for message in messages:
        backend._message_writer.store(connection, message, now)


def enqueue_many(broker: Broker, actor: str, count: int) -> None:
    """Make a backlog."""
    messages = (message_for(actor, BODY) for _ in range(count))
    if isinstance(broker, SQLiteBroker):
        assert isinstance(broker.backend, SQLiteBackend)
        fill(broker.backend, map(stored, messages))
    elif isinstance(broker, DurableBroker):
        asyncio.run(_enqueue_all(broker, messages))
    else:
        for message in messages:
            broker.enqueue(message)


async def _enqueue_all(broker: DurableBroker, messages: Iterable[Message[Any]]) -> None:
    waiting = iter(messages)
    while chunk := list(itertools.islice(waiting, 500)):
        await asyncio.gather(*(broker.enqueue_async(message) for message in chunk))


def wait_until_empty(broker: Broker, *, interval_ms: int = 1) -> None:
    """Block until the broker's own account says that nothing is left, acknowledgements included."""
    match broker:
        case StubBroker():
            broker.join(QUEUE)
        case DurableBroker():
            broker.join(QUEUE, interval=interval_ms)
        case _ if hasattr(broker, "db"):  # dramatiq-sqlite has no join
            every_s = interval_ms / 1000
            eventually(lambda: not _left_in(broker), within_s=PART_WITHIN_S, every_s=every_s)
        case _:
            broker.join(QUEUE, interval=interval_ms)  # type: ignore[call-arg]  # RedisBroker's own


def _left_in(broker: Any) -> int:
    with broker.db as cursor:
        states = "state IN ('queued', 'consumed')"
        count: int = cursor.execute(f"SELECT count(*) FROM dramatiq_messages WHERE {states}").fetchone()[0]
        return count
