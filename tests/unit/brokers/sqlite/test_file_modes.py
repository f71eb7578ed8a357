"""What the engine writes is its owner's alone, and what is there already keeps its mode."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from brokers.sqlite import SQLiteBackend, SQLiteRateLimiterBackend, SQLiteResultBackend
from tests.support.messages import claimed, stored


@pytest.fixture(autouse=True)
def _usual_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def modes(directory: Path) -> dict[str, int]:
    """Of all that lies there, by name."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.rglob("*")}


def test_all_that_a_consuming_process_makes_is_its_owners(tmp_path: Path) -> None:
    with closing(SQLiteBackend(tmp_path / "queue.db")) as backend:
        stored(backend)
        backend.started(claimed(backend))
        found = modes(tmp_path)
    assert found.pop("queue.db-run") == 0o700
    assert {"queue.db", "queue.db-wal", "queue.db-shm", "gate.inner", "gate.outer", "log"} < found.keys()
    assert set(found.values()) == {0o600}


@pytest.mark.parametrize("kind", [SQLiteResultBackend, SQLiteRateLimiterBackend])
def test_so_are_the_other_stores(tmp_path: Path, kind: type[SQLiteResultBackend]) -> None:
    with closing(kind(tmp_path / "other.db")) as store:
        store._database.read(lambda _: None)
        assert {mode & 0o077 for mode in modes(tmp_path).values()} == {0}


def test_a_file_that_was_made_for_a_group_stays_so_with_what_is_beside_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "queue.db"
    path.touch()
    path.chmod(0o660)
    os.umask(0o007)
    with closing(SQLiteBackend(path)) as backend:
        stored(backend)
        backend.started(claimed(backend))
        found = modes(tmp_path)
    assert found.pop("queue.db-run") == 0o770
    assert set(found.values()) == {0o660}


def test_a_database_of_before_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with closing(SQLiteBackend(path)) as backend:
        stored(backend)
    path.chmod(0o644)
    with closing(SQLiteBackend(path)) as backend:
        stored(backend)
    assert modes(tmp_path)["queue.db"] == 0o644
