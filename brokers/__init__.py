"""Durable Dramatiq brokers. Nothing in here knows the rest of Recado."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .sqlite import SQLiteBroker, SQLiteRateLimiterBackend, SQLiteResultBackend

if TYPE_CHECKING:
    from .redis import RedisBroker

__all__ = ["RedisBroker", "SQLiteBroker", "SQLiteRateLimiterBackend", "SQLiteResultBackend"]


def __getattr__(name: str) -> Any:
    """Import the Redis engine when it is asked for: its library takes a tenth of a second, and 8 MB."""
    if name == "RedisBroker":
        from .redis import RedisBroker  # noqa: PLC0415

        return RedisBroker
    raise AttributeError(name)
