"""What is written down, and when."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import structlog
from structlog.testing import LogCapture

from api.audit_log import SCHEMA, AuditLog
from brokers.sqlite.storage import Database, Schema

INSERT_BEFORE = """
INSERT INTO entry (begun_at, who, address, action, target, details, expected)
VALUES (1, 'maria', '10.0.0.1', 'pause queue', 'messages', '{}', 1)
"""


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[AuditLog]:
    with closing(AuditLog(tmp_path / "audit.db")) as log:
        yield log


def test_an_action_is_there_before_it_is_done(audit: AuditLog, tmp_path: Path) -> None:
    entry_id = audit.record("pause queue", "messages", who="maria", address="10.0.0.1")

    with closing(AuditLog(tmp_path / "audit.db")) as another:
        [entry] = another.list(limit=10)
    assert (entry.entry_id, entry.who, entry.address) == (entry_id, "maria", "10.0.0.1")
    assert (entry.action, entry.target, entry.outcome) == ("pause queue", "messages", "begun")
    assert (entry.expected, entry.done, entry.ended_at) == (1, 0, None)


def test_an_action_is_counted_as_it_goes_on(audit: AuditLog) -> None:
    details = {"queue": "messages", "died_before": 5}
    entry_id = audit.record("replay", "all", who="maria", address="", expected=300, details=details)

    audit.record_progress(entry_id, done=100)
    audit.record_progress(entry_id, done=150, failed=50, outcome="done")

    entry = audit.get(entry_id)
    assert entry is not None
    assert (entry.done, entry.failed, entry.processed, entry.outcome) == (250, 50, 300, "done")
    assert entry.details == details
    assert entry.ended_at is not None


def test_what_has_ended_stays_as_it_is(audit: AuditLog) -> None:
    entry_id = audit.record("replay", "all", who="maria", address="")
    audit.record_progress(entry_id, done=1, outcome="stopped")

    audit.record_progress(entry_id, done=5, outcome="done")

    entry = audit.get(entry_id)
    assert entry is not None
    assert (entry.done, entry.outcome) == (1, "stopped")


def test_the_newest_come_first(audit: AuditLog) -> None:
    ids = [audit.record("do", str(number), who="maria", address="") for number in range(7)]

    assert [entry.entry_id for entry in audit.list(limit=3)] == ids[:-4:-1]
    assert [entry.entry_id for entry in audit.list(limit=3, offset=5)] == [ids[1], ids[0]]
    assert audit.get(ids[-1] + 1) is None


def test_what_is_recorded_says_by_which_way_it_was_asked_for(audit: AuditLog) -> None:
    with audit.recorded("pause queue", "messages", who="crm", address="10.0.0.1", origin="api"):
        [begun] = audit.list(limit=10)
        assert (begun.origin, begun.outcome) == ("api", "begun")
    with (
        pytest.raises(KeyError),
        audit.recorded("replay", "all", who="root", address="a-host", origin="cli", expected=3),
    ):
        raise KeyError
    with audit.recorded("replay", "all", who="root", address="a-host", origin="cli", expected=3) as count:
        count.done, count.failed = 2, 1

    ended = [(entry.origin, entry.done, entry.failed, entry.outcome) for entry in audit.list(limit=10)]
    assert ended == [("cli", 2, 1, "done"), ("cli", 0, 3, "failed"), ("api", 1, 0, "done")]


def test_what_was_recorded_before_came_from_the_dashboard(tmp_path: Path) -> None:
    before = Database(tmp_path / "audit.db", Schema(SCHEMA.component, SCHEMA.steps[:1]))
    with closing(before):
        before.write(lambda c: c.execute(INSERT_BEFORE).fetchall())

    with closing(AuditLog(tmp_path / "audit.db")) as audit:
        [entry] = audit.list(limit=10)

    assert (entry.who, entry.origin) == ("maria", "dashboard")


def test_the_log_says_it_too(audit: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = LogCapture()
    bound = structlog.wrap_logger(None, processors=[capture])
    monkeypatch.setattr("api.audit_log.logger", bound)

    entry_id = audit.record("pause queue", "messages", who="maria", address="10.0.0.1")
    audit.record_progress(entry_id, done=1, outcome="done")

    first, last = capture.entries
    assert first["audit"] is last["audit"] is True
    assert (first["event"], first["who"], first["target"]) == ("pause queue", "maria", "messages")
    assert (last["event"], last["done"]) == ("pause queue: done", 1)


def test_a_commands_log_is_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    capture = LogCapture()
    monkeypatch.setattr("api.audit_log.logger", structlog.wrap_logger(None, processors=[capture]))

    with closing(AuditLog(tmp_path / "audit.db", logs=False)) as audit:
        with audit.recorded("pause queue", "messages", who="root", address="a-host", origin="cli"):
            pass
        assert len(audit.list(limit=10)) == 1

    assert capture.entries == []
