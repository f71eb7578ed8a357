"""Records what operators do, before it is done: who, when, what, and to how many."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import apsw
import structlog

from brokers.clock import now_ms
from brokers.sqlite.storage import Database, Schema

logger = structlog.get_logger(__name__)

_VERSION_1 = """
CREATE TABLE entry (
    id        INTEGER PRIMARY KEY,
    begun_at  INTEGER NOT NULL,
    ended_at  INTEGER,
    who       TEXT NOT NULL,
    address   TEXT NOT NULL,             -- where they were
    action    TEXT NOT NULL,
    target    TEXT NOT NULL,             -- a queue, a message, or which of them in words
    details   TEXT NOT NULL,             -- which of them, as JSON, so that it can be gone on with
    expected  INTEGER NOT NULL,          -- how many it was about
    done      INTEGER NOT NULL DEFAULT 0,
    failed    INTEGER NOT NULL DEFAULT 0,
    outcome   TEXT NOT NULL DEFAULT 'begun' CHECK (outcome IN ('begun', 'done', 'stopped', 'failed'))
);
"""

SCHEMA = Schema("audit", (_VERSION_1,))

_FIELDS = "id, begun_at, ended_at, who, address, action, target, details, expected, done, failed, outcome"
_INSERT = """
INSERT INTO entry (begun_at, who, address, action, target, details, expected)
VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING id
"""
_ADD_PROGRESS = """
UPDATE entry SET done = done + ?, failed = failed + ?, outcome = ?, ended_at = ?
WHERE id = ? AND outcome = 'begun'
"""
_GET = f"SELECT {_FIELDS} FROM entry WHERE id = ?"  # noqa: S608  our own words
_LIST = f"SELECT {_FIELDS} FROM entry ORDER BY id DESC LIMIT ? OFFSET ?"  # noqa: S608

Outcome = Literal["begun", "done", "stopped", "failed"]


class AuditEntry(NamedTuple):
    """Holds one recorded action. Times are milliseconds since the epoch."""

    entry_id: int
    begun_at: int
    ended_at: int | None
    who: str
    address: str
    action: str
    target: str
    details: Mapping[str, Any]
    expected: int
    done: int
    failed: int
    outcome: Outcome

    @property
    def processed(self) -> int:
        """Return how many were tried."""
        return self.done + self.failed


class AuditLog:
    """Keeps the audit log in a file of its own. What cannot be recorded is not done.

    Parameters:
      path: the file; created when missing.
    """

    def __init__(self, path: Path) -> None:
        self._database = Database(path, SCHEMA)

    def record(
        self,
        action: str,
        target: str,
        *,
        who: str,
        address: str,
        expected: int = 1,
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Record what is about to be done; return the entry's id.

        Parameters:
          action: the action's name.
          target: what the action is applied to, for people to read.
          who: the operator's name.
          address: the operator's address.
          expected: to how many things it is applied.
          details: the values from which the action can be continued; made of what JSON is made of.

        Raises:
          EngineError: the action cannot be recorded, and must not be done.
        """
        fields = (now_ms(), who, address, action, target, json.dumps(details or {}), expected)
        row: Any = self._database.write(lambda c: c.execute(_INSERT, fields).fetchone())
        logger.info(action, audit=True, who=who, address=address, target=target, expected=expected)
        return int(row[0])

    def record_progress(
        self, entry_id: int, *, done: int = 0, failed: int = 0, outcome: Outcome = "begun"
    ) -> None:
        """Add to the progress of an action, and record how it ended if it did.

        Parameters:
          entry_id: what `record` returned.
          done, failed: how many more.
          outcome: `begun` for as long as the action goes on.
        """
        ended_at = None if outcome == "begun" else now_ms()
        self._database.write(lambda c: _run(c, _ADD_PROGRESS, (done, failed, outcome, ended_at, entry_id)))
        entry = self.get(entry_id)
        if entry is not None and outcome != "begun":
            logger.info(
                f"{entry.action}: {outcome}",
                audit=True,
                who=entry.who,
                address=entry.address,
                target=entry.target,
                done=entry.done,
                failed=entry.failed,
            )

    def get(self, entry_id: int) -> AuditEntry | None:
        """Return an entry; None where there is none."""
        rows = self._read(_GET, (entry_id,))
        return rows[0] if rows else None

    def list(self, *, limit: int, offset: int = 0) -> Sequence[AuditEntry]:
        """Return a page of entries, newest first."""
        return self._read(_LIST, (limit, offset))

    def check(self, *, timeout_s: float) -> None:
        """Prove that an action could be written down now.

        Raises:
          EngineError: it could not within `timeout_s` seconds, and why.
        """
        self._database.check(at_ms=now_ms(), timeout_s=timeout_s)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _read(self, statement: str, bindings: tuple[int, ...]) -> Sequence[AuditEntry]:
        rows: Any = self._database.read(lambda c: c.execute(statement, bindings).fetchall())
        return [AuditEntry._make((*row[:7], json.loads(row[7]), *row[8:])) for row in rows]


def _run(connection: apsw.Connection, statement: str, bindings: tuple[Any, ...]) -> None:
    connection.execute(statement, bindings)
