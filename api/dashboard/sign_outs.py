"""Which sessions were ended before their time. A cookie is good until then, wherever it was copied to."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

from brokers.sqlite.database import Database
from brokers.sqlite.schema import Schema

_VERSION_1 = """
CREATE TABLE sign_out (
    session_id TEXT PRIMARY KEY,
    expires_at INTEGER NOT NULL          -- of its cookie, in seconds since the epoch
) WITHOUT ROWID;
"""

SCHEMA = Schema("sign_outs", (_VERSION_1,))


class SignOuts:
    """Remembers ended sessions, for all API processes of this machine.

    Parameters:
      path: a SQLite file; created when missing. Other tables may be in it.
      clock: seconds since the epoch.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._database = Database(path, SCHEMA)
        self._clock = clock

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
          EngineError: the file cannot be read.
        """
        found: Any = self._database.read(
            lambda c: c.execute("SELECT 1 FROM sign_out WHERE session_id = ?", (session_id,)).fetchone()
        )
        return found is not None

    def close(self) -> None:
        """Close the file."""
        self._database.close()
