"""Durable Dramatiq brokers. Nothing in here knows the rest of Recado."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .sqlite import SQLiteBroker, SQLiteRateLimiterBackend, SQLiteResultBackend

if TYPE_CHECKING:
    from .bullmq import BullMQBroker
    from .redis import RedisBroker
    from .sqs import SQSBroker

__all__ = [
    "BullMQBroker",
    "RedisBroker",
    "SQLiteBroker",
    "SQLiteRateLimiterBackend",
    "SQLiteResultBackend",
    "SQSBroker",
]


def __getattr__(name: str) -> Any:
    """Import when asked for what not all need: Redis takes a tenth of a second and 8 MB, two are extras."""
    if name == "BullMQBroker":
        from .bullmq import BullMQBroker  # noqa: PLC0415

        return BullMQBroker
    if name == "RedisBroker":
        from .redis import RedisBroker  # noqa: PLC0415

        return RedisBroker
    if name == "SQSBroker":
        from .sqs import SQSBroker  # noqa: PLC0415

        return SQSBroker
    raise AttributeError(name)
