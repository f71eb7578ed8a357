"""Dramatiq's rate limiters and barriers, kept in a SQLite file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dramatiq.rate_limits import RateLimiterBackend

from ..clock import now_ms
from .polling import poll
from .storage.connection import Connection
from .storage.database import Database
from .storage.schema import Schema

SCHEMA = Schema(
    "rate limits",
    (
        """
        CREATE TABLE rate_limit (
            key         TEXT PRIMARY KEY,
            value       INTEGER NOT NULL,
            expires_at  INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX rate_limit_expiry ON rate_limit (expires_at);
        """,
    ),
)

#: Read a value that has not expired.
GET = "SELECT value FROM rate_limit WHERE key = ? AND expires_at > ?"

#: Store a value, in place of an older one.
PUT = """
INSERT INTO rate_limit VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""

#: Delete a few expired values: to store one value never costs the deletion of thousands.
EXPIRE = "DELETE FROM rate_limit WHERE key IN (SELECT key FROM rate_limit WHERE expires_at <= ? LIMIT 10)"


class SQLiteRateLimiterBackend(RateLimiterBackend):
    """A backend for all of Dramatiq's rate limiters, and for barriers and groups.

    Parameters:
      path: the database file; created when missing. The broker's own file will do.
    """

    def __init__(self, path: str | Path) -> None:
        self._database = Database(path, SCHEMA)

    def add(self, key: str, value: int, ttl: int) -> bool:
        return self._change(key, ttl, lambda old, _: value if old is None else None)

    def incr(self, key: str, amount: int, maximum: int, ttl: int) -> bool:
        return self._change(key, ttl, lambda old, _: _at_most(maximum, (old or 0) + amount))

    def decr(self, key: str, amount: int, minimum: int, ttl: int) -> bool:
        def down(old: int | None, _: object) -> int | None:
            new = (old or 0) - amount
            return new if new >= minimum else None

        return self._change(key, ttl, down)

    def incr_and_sum(
        self, key: str, keys: Callable[[], Iterable[str]], amount: int, maximum: int, ttl: int
    ) -> bool:
        def up(old: int | None, value_of: Callable[[str], int | None]) -> int | None:
            total = amount + sum(value_of(other) or 0 for other in keys())
            new = _at_most(maximum, (old or 0) + amount)
            return None if total > maximum else new

        return self._change(key, ttl, up)

    def wait(self, key: str, timeout: int | None) -> bool:
        """Wait until `wait_notify` was called for the key, at most `timeout` milliseconds."""
        timeout_s = float("inf") if timeout is None else timeout / 1000
        return poll(lambda: self._database.read(lambda c: _value(c, key)), timeout_s) is not None

    def wait_notify(self, key: str, ttl: int) -> None:
        self._change(key, ttl, lambda _old, _: 1)

    def close(self) -> None:
        self._database.close()

    def _change(
        self,
        key: str,
        ttl: int,
        decide: Callable[[int | None, Callable[[str], int | None]], int | None],
    ) -> bool:
        """Read, decide and write in one transaction; return whether a value was written.

        Parameters:
          key: the limiter's key.
          ttl: how long the value is kept, in milliseconds.
          decide: given the old value and a function that reads other keys, returns the new value, or None.
        """

        def apply(connection: Connection) -> bool:
            now = now_ms()
            new = decide(_value(connection, key), lambda other: _value(connection, other))
            connection.execute(EXPIRE, (now,))
            if new is None:
                return False
            connection.execute(PUT, (key, new, now + ttl))
            return True

        return self._database.write(apply, durable=False)


def _value(connection: Connection, key: str) -> int | None:
    row: Any = connection.execute(GET, (key, now_ms())).fetchone()
    return None if row is None else row[0]


def _at_most(maximum: int, value: int) -> int | None:
    return value if value <= maximum else None
