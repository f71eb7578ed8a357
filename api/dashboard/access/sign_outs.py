"""Remembers which sessions were ended before their cookies expired. A copy of a cookie is good until then."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import structlog

from brokers.errors import EngineError
from brokers.sqlite.storage import Database, Schema

logger = structlog.get_logger(__name__)

_VERSION_1 = """
CREATE TABLE sign_out (
    session_id TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL          -- of its cookie, in seconds since the epoch
) WITHOUT ROWID;
"""

SCHEMA = Schema("sign_outs", (_VERSION_1,))


class SignOuts:
    """Remembers ended sessions, for all API processes of this machine.

    While the file cannot be read, the sessions that were in it before are the ones that were ended. So a
    damaged file does not close the dashboard, which is needed then. Nothing can be changed meanwhile: what
    cannot be written to the audit log is not done.

    Parameters:
      path: a SQLite file; created when missing. Other tables may be in it.
      clock: seconds since the epoch.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(path, SCHEMA)
        self._clock = clock
        self._known: frozenset[str] | None = None
        self._is_readable = True

    def add(self, session_id: str, expires_at: int) -> None:
        """End a session.

        Parameters:
          session_id: which.
          expires_at: when its cookie ends by itself, in seconds since the epoch.

        Raises:
          EngineError: it cannot be written down, and the session goes on.
        """

        def apply(connection: apsw.Connection) -> None:
            connection.execute("DELETE FROM sign_out WHERE expires_at <= ?", (int(self._clock()),))
            connection.execute("INSERT OR IGNORE INTO sign_out VALUES (?, ?)", (session_id, expires_at))

        self._database.write(apply)

    def __contains__(self, session_id: str) -> bool:
        """Tell whether a session was ended.

        Raises:
          EngineError: the file cannot be read, and this process has not read it before.
        """
        return session_id in self._ended()

    def _ended(self) -> frozenset[str]:
        """Read all of them: they are few, since a cookie lasts for hours."""
        try:
            rows: list[Any] = self._database.read(
                lambda c: c.execute("SELECT session_id FROM sign_out").fetchall()
            )
        except EngineError as error:
            if self._known is None:
                raise
            if self._is_readable:
                logger.warning(
                    "sign-outs cannot be read: the dashboard goes on with those that are known",
                    why=str(error),
                )
            self._is_readable = False
            return self._known
        self._is_readable = True
        self._known = frozenset(session_id for (session_id,) in rows)
        return self._known

    def close(self) -> None:
        """Close the file."""
        self._database.close()
