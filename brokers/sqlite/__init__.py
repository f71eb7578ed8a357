"""The SQLite engine: a durable queue in one file, no server."""

from __future__ import annotations

from pathlib import Path

from dramatiq import Middleware

from ..durable import DurableBroker
from .backend import SQLiteBackend
from .rate_limits import SQLiteRateLimiterBackend
from .results import SQLiteResultBackend


class SQLiteBroker(DurableBroker):
    """A Dramatiq broker in one SQLite file, for any number of threads and processes of one machine.

    Parameters:
      path: the database file; created when missing.
      middleware: all middleware of this broker; None for `brokers.middleware.default_middleware()`.
      max_deliveries: how many workers may die under a message before it becomes a dead letter.
      max_message_bytes: the largest encoded message to accept.

    Raises:
      UnsupportedDatabase: the path lies on a network filesystem.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        middleware: list[Middleware] | None = None,
        max_deliveries: int = 5,
        max_message_bytes: int = 1024 * 1024,
    ) -> None:
        backend = SQLiteBackend(path, max_deliveries=max_deliveries, max_message_bytes=max_message_bytes)
        super().__init__(backend, middleware=middleware)


__all__ = ["SQLiteBackend", "SQLiteBroker", "SQLiteRateLimiterBackend", "SQLiteResultBackend"]
