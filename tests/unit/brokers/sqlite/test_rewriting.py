"""Nothing of what was deleted is left in a file or in its log."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from brokers.errors import EngineError
from brokers.sqlite.storage import Database, Schema, rewrite, rewriting
from brokers.sqlite.storage.process_lock import ProcessLock
from tests.support.sqlite import snapshot_of

TABLE = """
CREATE TABLE said (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, text TEXT NOT NULL);
CREATE INDEX said_text ON said (text) WHERE length(text) < 100;
"""
SCHEMA = Schema("test", (TABLE,))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "said.db", SCHEMA)) as database:
        yield database


def say(database: Database, names: list[str], *, repeated: int = 1) -> None:
    rows = [(name, f"the text of {name} " * repeated) for name in names]
    database.write(lambda c: c.executemany("INSERT INTO said (name, text) VALUES (?, ?)", rows).fetchall())


def say_each(database: Database, names: list[str]) -> None:
    for name in names:
        say(database, [name])


def forget(database: Database, names: list[str]) -> None:
    rows = [(name,) for name in names]
    database.write(lambda c: c.executemany("DELETE FROM said WHERE name = ?", rows).fetchall())


def found(database: Database, names: list[str]) -> list[str]:
    """The names that are anywhere in the files. No connection of this process may be open any more."""
    database.close()
    everything = b"".join(
        path.read_bytes() for path in sorted(database.path.parent.rglob("*")) if path.is_file()
    )
    return [name for name in names if name.encode() in everything]


@pytest.mark.parametrize("repeated", [1, 20, 2_000], ids=["in a page", "in several", "in overflow pages"])
def test_what_was_deleted_is_nowhere(database: Database, repeated: int) -> None:
    chance = random.Random(repeated)  # noqa: S311  the same every time
    names = [f"{chance.getrandbits(64):016x}" for _ in range(400 if repeated < 100 else 30)]
    gone = sorted(chance.sample(names, len(names) // 2))
    for at in range(0, len(names), 50):
        say(database, names[at : at + 50], repeated=repeated)
    forget(database, gone)

    assert list(rewrite(database)) == []

    assert found(database, gone) == []
    assert found(database, sorted(set(names) - set(gone))) == sorted(set(names) - set(gone))


def test_without_it_something_is_left(database: Database) -> None:
    """Or the test before could not fail."""
    names = [f"name-{number:04}" for number in range(100)]
    say(database, names, repeated=200)
    forget(database, names)

    assert found(database, names) != []


def test_others_write_meanwhile_and_lose_nothing(database: Database) -> None:
    with closing(Database(database.path, SCHEMA)) as other, ThreadPoolExecutor(max_workers=1) as pool:
        say(database, ["before"])
        names = [f"name-{number:04}" for number in range(100)]
        writing = pool.submit(say_each, other, names)
        while not writing.done():
            assert list(rewrite(database)) == []
        writing.result()

        rows = database.read(lambda c: c.execute("SELECT count(*) FROM said").fetchone())
        assert rows == (101,)
        assert database.read(lambda c: c.pragma("integrity_check")) == "ok"


def test_a_file_that_takes_too_long_is_left_as_it_is(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(database, ["somebody"], repeated=1_000)
    forget(database, ["somebody"])
    database.close()
    monkeypatch.setattr(rewriting, "LARGEST_BYTES", 4_096)

    [why] = rewrite(database)

    assert "too large" in why
    assert str(database.path) in why


def test_a_log_that_was_set_aside_is_told_of(database: Database) -> None:
    say(database, ["somebody"])
    stale = database.path.with_name("said.db-wal.stale-1700000000000")
    stale.write_bytes(b"somebody")

    [why] = rewrite(database)

    assert str(stale) in why


def test_a_reader_that_comes_to_no_end_is_told_of(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewriting, "TRUNCATES_WITHIN_S", 0.2)
    say(database, ["somebody"])
    with (
        closing(Database(database.path, SCHEMA)) as other,
        snapshot_of(other, "said"),
        pytest.raises(EngineError, match="keeps reading"),
    ):
        rewrite(database)


def test_a_process_that_keeps_the_lock_is_told_of(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Database, "write_timeout_s", 0.2)
    say(database, ["somebody"])
    with (
        closing(ProcessLock(database.run_directory)) as lock,
        lock,
        pytest.raises(EngineError, match="kept the database"),
    ):
        rewrite(database)
