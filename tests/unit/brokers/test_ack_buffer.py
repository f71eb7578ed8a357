"""AckBuffer are gathered, and not one of them gets lost on the way."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from brokers.errors import EngineError
from brokers.sqlite import SQLiteBackend
from brokers.writer import Operation
from tests.support.messages import QUEUE, stats_of, stored


def test_an_ack_that_cannot_be_submitted_takes_no_other_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(SQLiteBackend(tmp_path / "queue.db")) as backend:
        for _ in range(3):
            stored(backend)
        first, second, third = backend.dequeue(QUEUE, limit=3, timeout_s=0)

        def away(operation: Operation[object]) -> None:
            raise EngineError("away")

        with monkeypatch.context() as patch:
            patch.setattr(backend.database, "submit", away)
            with pytest.raises(EngineError):
                backend.ack(first)
        for delivery in (first, second, third):
            backend.ack(delivery)
        backend.sync()
        assert (stats_of(backend).running, stats_of(backend).done) == (0, 3)


def test_acks_share_commits(tmp_path: Path) -> None:
    with closing(SQLiteBackend(tmp_path / "queue.db")) as backend:
        for _ in range(100):
            stored(backend)
        deliveries = backend.dequeue(QUEUE, limit=100, timeout_s=0)
        commits = commits_of(backend)
        for delivery in deliveries:
            backend.ack(delivery)
        backend.sync()
        assert stats_of(backend).done == 100
        assert commits_of(backend) - commits < 50


def commits_of(backend: SQLiteBackend) -> int:
    """How often the file was changed: each commit appends at least a page to the log."""
    return backend.database.wal_bytes() // 4096
