"""The Redis engine: a durable queue for any number of machines."""

from __future__ import annotations

from collections.abc import Iterable

from dramatiq import Middleware

from ..durable import DurableBroker
from .backend import RedisBackend
from .options import Address, Durability, RedisOptions
from .sharded import ShardedBackend, redis_backend


class RedisBroker(DurableBroker):
    """A Dramatiq broker on a Redis or Valkey server, for any number of machines.

    Parameters:
      url: `redis://`, `rediss://` (TLS) or `unix://`; several, separated by commas, are tried in turn. Of a
        cluster, any node will do.
      namespace: everything of this queue is kept under this name.
      shards: over how many namespaces the messages are spread, so that a cluster can have them on several
        nodes. It cannot be changed while anything is kept there.
      middleware: all middleware of this broker; None for `brokers.middleware.default_middleware()`.
      max_deliveries: how many workers may die under a message before it becomes a dead letter.
      max_message_bytes: the largest encoded message to accept.
      heartbeat_timeout_s: heartbeats come five times in so many seconds. A worker process that ended is
        noticed after two of them on its own machine; one of another machine is dead after four times so many
        seconds of silence. Then its messages run elsewhere.
      durability: what an enqueue waits for. `wait`: the fsync of the server's append-only file, where the
        server can tell (Redis 7.2 and Valkey can), and a warning where not. `require`: the same, and an
        error where not. `waive`: nothing.
      sentinels: addresses of Sentinels that know the master; the URL then gives user, password and
        database only.
      sentinel_master: the name they know it by.
      timeout_s: how long to wait for a connection or an answer, in seconds.

    Raises:
      ValueError: the URL is none.
    """

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        namespace: str = "recado",
        shards: int = 1,
        middleware: list[Middleware] | None = None,
        max_deliveries: int = 5,
        max_message_bytes: int = 1024 * 1024,
        heartbeat_timeout_s: float = 15.0,
        durability: Durability = "wait",
        sentinels: Iterable[Address] = (),
        sentinel_master: str = "mymaster",
        timeout_s: float = 5.0,
    ) -> None:
        server = RedisOptions(url, durability, tuple(sentinels), sentinel_master, timeout_s)
        backend = redis_backend(
            server,
            namespace=namespace,
            shards=shards,
            max_deliveries=max_deliveries,
            max_message_bytes=max_message_bytes,
            heartbeat_timeout_s=heartbeat_timeout_s,
        )
        super().__init__(backend, middleware=middleware)


__all__ = ["RedisBackend", "RedisBroker", "RedisOptions", "ShardedBackend", "redis_backend"]
