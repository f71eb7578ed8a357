"""Records what operators and programs do, before it is done: who, when, what, and to how many."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

_VERSION_2 = """
ALTER TABLE entry ADD COLUMN origin TEXT NOT NULL DEFAULT 'dashboard';  -- by which way it was asked for
"""

SCHEMA = Schema("audit", (_VERSION_1, _VERSION_2))

_FIELDS = (
    "id, begun_at, ended_at, who, address, action, target, details, expected, done, failed, outcome, origin"
)
_INSERT = """
INSERT INTO entry (begun_at, who, address, action, target, details, expected, origin)
VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id
"""
_ADD_PROGRESS = """
UPDATE entry SET done = done + ?, failed = failed + ?, outcome = ?, ended_at = ?
WHERE id = ? AND outcome = 'begun'
"""
_GET = f"SELECT {_FIELDS} FROM entry WHERE id = ?"  # noqa: S608  our own words
_MENTIONING = (
    f"SELECT {_FIELDS} FROM entry WHERE instr(target, :text) OR instr(details, :text) ORDER BY id DESC"  # noqa: S608
)
_REWRITE_WORDS = "UPDATE entry SET target = ?, details = ? WHERE id = ?"
_LIST = f"SELECT {_FIELDS} FROM entry ORDER BY id DESC LIMIT ? OFFSET ?"  # noqa: S608

Outcome = Literal["begun", "done", "stopped", "failed"]

#: By which way an action was asked for: a page, the API for other programs, or the command line.
Origin = Literal["dashboard", "api", "cli"]


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
    origin: Origin = "dashboard"

    @property
    def processed(self) -> int:
        """Return how many were tried."""
        return self.done + self.failed


@dataclass(slots=True)
class Count:
    """Holds to how many things an action was applied, and to how many it could not be."""

    done: int
    failed: int = 0


class AuditLog:
    """Keeps the audit log in a file of its own. What cannot be recorded is not done.

    Parameters:
      path: the file; created when missing.
      logs: each action is a log line as well. A command's would stand between what the command says.
    """

    def __init__(self, path: Path, *, logs: bool = True) -> None:
        self._database = Database(path, SCHEMA)
        self._logs = logs

    def record(
        self,
        action: str,
        target: str,
        *,
        who: str,
        address: str,
        origin: Origin = "dashboard",
        expected: int = 1,
        details: Mapping[str, Any] | None = None,
    ) -> int:
        """Record what is about to be done; return the entry's id.

        Parameters:
          action: the action's name.
          target: what the action is applied to, for people to read.
          who: the name of the operator, or of a program's token.
          address: where they are: an address of the network, or a machine.
          origin: by which way they ask for it.
          expected: to how many things it is applied.
          details: the values from which the action can be continued; made of what JSON is made of.

        Raises:
          EngineError: the action cannot be recorded, and must not be done.
        """
        fields = (now_ms(), who, address, action, target, json.dumps(details or {}), expected, origin)
        row: Any = self._database.write(lambda c: c.execute(_INSERT, fields).fetchone())
        if self._logs:
            logger.info(
                action, audit=True, who=who, address=address, origin=origin, target=target, expected=expected
            )
        return int(row[0])

    @contextmanager
    def recorded(
        self, action: str, target: str, *, who: str, address: str, origin: Origin, expected: int = 1
    ) -> Iterator[Count]:
        """Record what is done inside, and how it ended.

        Parameters:
          action, target, who, address, origin, expected: as of `record`.

        Yields:
          The count that is recorded at the end: all that was expected, unless it is changed inside.

        Raises:
          EngineError: as of `record`, and nothing is done.
        """
        entry = self.record(action, target, who=who, address=address, origin=origin, expected=expected)
        count = Count(done=expected)
        try:
            yield count
        except BaseException:
            self.record_progress(entry, failed=expected, outcome="failed")
            raise
        self.record_progress(entry, done=count.done, failed=count.failed, outcome="done")

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
        entry = self.get(entry_id) if self._logs and outcome != "begun" else None
        if entry is not None:
            logger.info(
                f"{entry.action}: {outcome}",
                audit=True,
                who=entry.who,
                address=entry.address,
                origin=entry.origin,
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

    def mentioning(self, text: str) -> Sequence[AuditEntry]:
        """Return the entries whose target or details have a text in them, newest first."""
        return self._read(_MENTIONING, {"text": text})

    def rewrite_words(self, entry_id: int, *, target: str, details: Mapping[str, Any]) -> None:
        """Replace what an entry says that it was about. The rest of the entry stays."""
        self._database.write(lambda c: _run(c, _REWRITE_WORDS, (target, json.dumps(details), entry_id)))

    @property
    def database(self) -> Database:
        """The file underneath."""
        return self._database

    def check(self, *, timeout_s: float) -> None:
        """Prove that an action could be written down now.

        Raises:
          EngineError: it could not within `timeout_s` seconds, and why.
        """
        self._database.check(at_ms=now_ms(), timeout_s=timeout_s)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _read(self, statement: str, bindings: tuple[int, ...] | Mapping[str, str]) -> Sequence[AuditEntry]:
        rows: Any = self._database.read(lambda c: c.execute(statement, bindings).fetchall())
        return [AuditEntry._make((*row[:7], json.loads(row[7]), *row[8:])) for row in rows]


def _run(connection: apsw.Connection, statement: str, bindings: tuple[Any, ...]) -> None:
    connection.execute(statement, bindings)
