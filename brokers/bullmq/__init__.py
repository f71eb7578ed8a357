"""The BullMQ engine: messages are jobs in BullMQ's queues, beside those of Node services (docs/bullmq.md)."""

from __future__ import annotations

from collections.abc import Iterable

from dramatiq import Middleware

from ..durable import DurableBroker
from ..redis.options import Address, Durability, RedisOptions
from .backend import BullMQBackend


class BullMQBroker(DurableBroker):
    """A Dramatiq broker whose queues are BullMQ's, on a Redis or Valkey server.

    A Node service adds jobs to them and works them with BullMQ itself; its tools show them. A job's name is
    the actor's, and its data is the message.

    Parameters:
      url: `redis://`, `rediss://` (TLS) or `unix://`; several, separated by commas, are tried in turn.
      prefix: what the names of all keys begin with, as at BullMQ. In a cluster it has to be in braces.
      middleware: all middleware of this broker; None for `brokers.middleware.default_middleware()`.
      max_deliveries: how many workers may die under a message before it becomes a dead letter.
      max_message_bytes: the largest encoded message to accept.
      keep_completed: how many jobs that are done each queue keeps, for BullMQ's tools.
      lock_s: a worker process silent for so many seconds has lost what it holds; at least 1.
      durability: what an enqueue waits for, as for `RedisBroker`.
      sentinels: addresses of Sentinels that know the master; the URL then gives user, password and
        database only.
      sentinel_master: the name they know it by.
      timeout_s: how long to wait for a connection or an answer, in seconds.

    Raises:
      ValueError: the URL is none, or a number is out of bounds.
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        prefix: str = "bull",
        middleware: list[Middleware] | None = None,
        max_deliveries: int = 5,
        max_message_bytes: int = 1024 * 1024,
        keep_completed: int = 0,
        lock_s: float = 30.0,
        durability: Durability = "wait",
        sentinels: Iterable[Address] = (),
        sentinel_master: str = "mymaster",
        timeout_s: float = 5.0,
    ) -> None:
        server = RedisOptions(url, durability, tuple(sentinels), sentinel_master, timeout_s)
        backend = BullMQBackend(
            server,
            prefix=prefix,
            max_deliveries=max_deliveries,
            max_message_bytes=max_message_bytes,
            keep_completed=keep_completed,
            lock_s=lock_s,
        )
        super().__init__(backend, middleware=middleware)


__all__ = ["BullMQBackend", "BullMQBroker"]
