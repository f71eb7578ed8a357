"""Durable Dramatiq brokers. Nothing in here knows the rest of Recado."""

from __future__ import annotations

from .redis import RedisBroker
from .sqlite import SQLiteBroker, SQLiteRateLimiterBackend, SQLiteResultBackend

__all__ = ["RedisBroker", "SQLiteBroker", "SQLiteRateLimiterBackend", "SQLiteResultBackend"]
