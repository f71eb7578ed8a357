"""Where messages and conversations are kept, as the settings say."""

from __future__ import annotations

from typing import TYPE_CHECKING

from brokers.backend import QueueBackend
from brokers.durable import DurableBroker
from brokers.sqlite import SQLiteBackend
from ops.foundation.settings import Settings

from .conversations import ConversationStore, SQLiteConversationStore
from .hold_policy import ExpiringPolicy, HoldPolicy, LookupPolicy

if TYPE_CHECKING:
    from brokers.redis.options import RedisOptions


def queue_backend(settings: Settings, engine: str) -> QueueBackend:
    """The engine of that name, whether or not it is the one in use."""
    if engine == "redis":
        from brokers.redis import redis_backend  # noqa: PLC0415  not everyone needs its library

        return redis_backend(
            _server(settings),
            namespace=settings.redis_namespace,
            shards=settings.redis_shards,
            heartbeat_timeout_s=settings.redis_heartbeat_timeout_s,
            max_deliveries=settings.queue_max_deliveries,
            max_message_bytes=settings.queue_max_message_bytes,
        )
    if engine == "bullmq":
        from brokers.bullmq import BullMQBackend  # noqa: PLC0415  an extra

        return BullMQBackend(
            _server(settings),
            prefix=settings.bullmq_prefix,
            keep_completed=settings.bullmq_keep_completed,
            lock_s=settings.bullmq_lock_s,
            max_deliveries=settings.queue_max_deliveries,
            max_message_bytes=settings.queue_max_message_bytes,
        )
    if engine == "sqs":
        from brokers.sqs import SQSBackend  # noqa: PLC0415  an extra

        return SQSBackend(
            namespace=settings.sqs_namespace,
            region=settings.sqs_region,
            endpoint_url=settings.sqs_endpoint_url,
            visibility_timeout_s=settings.sqs_visibility_timeout_s,
            max_deliveries=settings.queue_max_deliveries,
            max_message_bytes=settings.queue_max_message_bytes,
        )
    return SQLiteBackend(
        settings.queue_sqlite_db_path,
        max_deliveries=settings.queue_max_deliveries,
        max_message_bytes=settings.queue_max_message_bytes,
    )


def hold_policy(settings: Settings, broker: DurableBroker) -> HoldPolicy:
    """Choose how messages of the broker's engine know of each other."""
    if broker.backend.capabilities.looks_up:
        return LookupPolicy(broker)
    return ExpiringPolicy(longest_run_ms=int(1_000 * settings.longest_run_s))


def conversation_store(settings: Settings, engine: str) -> ConversationStore:
    """The store of that name, whether or not it is the one in use."""
    retention_s = settings.conversations_retention_days * 86_400
    if engine == "redis":
        from .conversations.redis import redis_conversation_store  # noqa: PLC0415  as above

        return redis_conversation_store(
            _server(settings),
            namespace=f"{settings.redis_namespace}-conversations",
            shards=settings.redis_shards,
            retention_s=retention_s,
        )
    return SQLiteConversationStore(settings.conversations_sqlite_db_path, retention_s=retention_s)


def _server(settings: Settings) -> RedisOptions:
    """Make the way to the Redis server, the same for messages and conversations."""
    from brokers.redis.options import RedisOptions  # noqa: PLC0415  as above

    return RedisOptions(
        url=settings.required("redis_url"),
        durability=settings.redis_durability,
        sentinels=settings.sentinel_addresses,
        sentinel_master=settings.redis_sentinel_master,
        timeout_s=settings.redis_timeout_s,
    )
