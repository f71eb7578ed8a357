"""Dramatiq's results, kept in a SQLite file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dramatiq import Encoder
from dramatiq.results import Missing, ResultBackend, ResultMissing, ResultTimeout
from dramatiq.results.backend import DEFAULT_TIMEOUT

from ..clock import now_ms
from .polling import poll
from .storage.connection import Connection
from .storage.database import Database
from .storage.schema import Schema

SCHEMA = Schema(
    "results",
    (
        """
        CREATE TABLE result (
            key         TEXT PRIMARY KEY,
            value       BLOB NOT NULL,
            expires_at  INTEGER NOT NULL
        ) WITHOUT ROWID;
        CREATE INDEX result_expiry ON result (expires_at);
        """,
    ),
)

#: Store a result, in place of an older one.
STORE = """
INSERT INTO result VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
"""

#: Read a result that has not expired.
GET = "SELECT value FROM result WHERE key = ? AND expires_at > ?"

#: Delete a few expired results: to store one result never costs the deletion of thousands.
EXPIRE = "DELETE FROM result WHERE key IN (SELECT key FROM result WHERE expires_at <= ? LIMIT 10)"


class SQLiteResultBackend(ResultBackend):
    """A result backend for Dramatiq's `Results` middleware.

    Parameters:
      path: the database file; created when missing. The broker's own file will do.
      namespace, encoder, use_namespace_prefix_keys: as in Dramatiq's `ResultBackend`.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        namespace: str = "dramatiq-results",
        encoder: Encoder | None = None,
        use_namespace_prefix_keys: bool = False,
    ) -> None:
        super().__init__(
            namespace=namespace, encoder=encoder, use_namespace_prefix_keys=use_namespace_prefix_keys
        )
        self._database = Database(path, SCHEMA)

    def get_result(self, message: Any, *, block: bool = False, timeout: int | None = None) -> Any:
        """Get a message's result.

        Parameters:
          message: the message.
          block: wait for the result.
          timeout: how long to wait, in milliseconds; ten seconds by default.

        Raises:
          ResultMissing: the result is not there, and `block` is not set.
          ResultTimeout: the result was not there in time.
          ResultError: the actor failed.
        """
        key = self.build_message_key(message)
        timeout_s = (DEFAULT_TIMEOUT if timeout is None else timeout) / 1000 if block else 0.0
        found = poll(lambda: self._row(key), timeout_s)
        if found is None:
            raise ResultTimeout(message) if block else ResultMissing(message)
        return self.unwrap_result(self.encoder.decode(found))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        self._database.close()

    def _get(self, message_key: str) -> Any:
        found = self._row(message_key)
        return Missing if found is None else self.encoder.decode(found)

    def _store(self, message_key: str, result: Any, ttl: int) -> None:
        value, now = self.encoder.encode(result), now_ms()

        def apply(connection: Connection) -> None:
            connection.execute(EXPIRE, (now,))
            connection.execute(STORE, (message_key, value, now + ttl))

        self._database.write(apply, durable=False)

    def _row(self, key: str) -> bytes | None:
        row: Any = self._database.read(lambda c: c.execute(GET, (key, now_ms())).fetchone())
        return None if row is None else row[0]
