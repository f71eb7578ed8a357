"""One file, many users: what they submit is committed, however they come and go."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import apsw
import pytest
from dramatiq.middleware import TimeLimitExceeded
from dramatiq.middleware.threading import raise_thread_exception

from brokers.errors import EngineError
from brokers.interrupts import expose
from brokers.sqlite.maintenance.vacuum import give_space_back
from brokers.sqlite.storage.database import Database
from brokers.sqlite.storage.operations import Change
from brokers.sqlite.storage.process_lock import ProcessLock
from brokers.sqlite.storage.schema import Schema
from tests.support.messages import PATIENCE_S
from tests.support.sqlite import snapshot_of
from tests.support.waiting import eventually

SCHEMA = Schema("things", ("CREATE TABLE thing (name TEXT UNIQUE)",))


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(tmp_path / "things.db", SCHEMA)) as database:
        yield database


def insert(name: str, *, lazy: bool = False) -> Change[None]:
    def apply(connection: apsw.Connection) -> None:
        connection.execute("INSERT INTO thing VALUES (?)", (name,))

    return Change(apply, lazy=lazy)


def add(database: Database, name: str) -> None:
    insert(name).wait(database.submit, PATIENCE_S)


def names(database: Database) -> list[Any]:
    return database.read(lambda c: [row[0] for row in c.execute("SELECT name FROM thing ORDER BY rowid")])


def test_closing_commits_what_was_submitted(database: Database) -> None:
    add(database, "open")
    database.submit(insert("lazy", lazy=True))
    database.close()

    assert names(database) == ["open", "lazy"]


def test_one_that_fails_spoils_nothing_for_the_others(database: Database) -> None:
    add(database, "taken")
    with ThreadPoolExecutor(max_workers=10) as pool:
        adding = {name: pool.submit(add, database, name) for name in ["taken", *"abcdefghi"]}
    assert isinstance(adding.pop("taken").exception(), EngineError)
    assert [waiting.exception() for waiting in adding.values()] == [None] * 9
    assert sorted(names(database)) == [*"abcdefghi", "taken"]


def test_an_operation_that_fails_leaves_nothing_behind(database: Database) -> None:
    def half(connection: apsw.Connection) -> None:
        connection.execute("INSERT INTO thing VALUES ('half')")
        raise LookupError("the other half")

    with pytest.raises(LookupError):
        database.write(half)
    assert names(database) == []


def test_a_caller_that_gave_up_is_not_served(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    add(database, "before")
    with (
        closing(ProcessLock(database.run_directory)) as process_lock,
        process_lock,
        pytest.raises(EngineError, match="within"),
    ):
        insert("never").wait(database.submit, 0.01)
    add(database, "after")
    assert names(database) == ["before", "after"]
    assert caplog.text == ""


def test_an_interrupted_thread_leaves_nothing_locked(database: Database, tmp_path: Path) -> None:
    """Dramatiq interrupts a worker thread wherever it happens to be: also in the midst of a write."""

    def write_until_interrupted(has_begun: threading.Event) -> None:
        expose(True)
        with suppress(TimeLimitExceeded):
            while True:
                database.write(lambda c: c.execute("DELETE FROM thing"), durable=False)
                has_begun.set()

    with closing(Database(tmp_path / "things.db", SCHEMA)) as neighbour:
        for number in range(100):
            has_begun = threading.Event()
            thread = threading.Thread(target=write_until_interrupted, args=(has_begun,))
            thread.start()
            assert has_begun.wait(PATIENCE_S)
            raise_thread_exception(thread.ident, TimeLimitExceeded)
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

            add(database, f"own {number}")
            add(neighbour, f"neighbour's {number}")


def test_readers_see_one_state(database: Database) -> None:
    def twice(connection: apsw.Connection) -> tuple[int, int]:
        count = "SELECT count(*) FROM thing"
        before: Any = connection.execute(count).fetchone()
        add(database, "meanwhile")
        after: Any = connection.execute(count).fetchone()
        return before[0], after[0]

    assert database.read(twice) == (0, 0)


def test_many_read_at_once(database: Database) -> None:
    add(database, "thing")
    with ThreadPoolExecutor(max_workers=16) as pool:
        answers = list(pool.map(lambda _: names(database), range(2_000)))
    assert answers == [["thing"]] * 2_000


def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises(EngineError, match="ReadOnly"):
        database.read(lambda c: c.execute("INSERT INTO thing VALUES ('no')"))


def test_what_follows_a_commit_cannot_undo_it(tmp_path: Path) -> None:
    """Whoever waits for the next commit would wait in vain."""

    def fail() -> None:
        raise OSError("the run directory is gone")

    with closing(Database(tmp_path / "things.db", SCHEMA, after_commit=fail)) as database:
        add(database, "one")
        insert("other").wait(database.submit, 5)
        assert names(database) == ["one", "other"]


class TestAFileThatIsNoDatabase:
    @pytest.fixture
    def database(self, tmp_path: Path) -> Iterator[Database]:
        self.path = tmp_path / "things.db"
        self.path.write_bytes(b"not a database " * 1_000)
        with closing(Database(self.path, SCHEMA)) as database:
            yield database

    def test_is_a_clear_error_until_it_is_gone(self, database: Database) -> None:
        for _ in range(2):
            with pytest.raises(EngineError, match="NotADB"):
                add(database, "thing")
        self.path.unlink()

        eventually(lambda: is_added(database, "thing"))
        assert names(database) == ["thing"]

    def test_leaves_nothing_open(self, database: Database) -> None:
        def open_files() -> int:
            return len(list(Path("/proc/self/fd").iterdir()))

        with suppress(EngineError):
            add(database, "thing")
        before = open_files()
        for _ in range(10):
            with suppress(EngineError):
                add(database, "thing")
        assert open_files() <= before


def is_added(database: Database, name: str) -> bool:
    with suppress(EngineError):
        add(database, name)
        return True
    return False


def give_back(database: Database) -> None:
    for _ in give_space_back(database, 1_000_000):
        pass


def test_spare_space_is_given_back(database: Database) -> None:
    add(database, "x" * 3_000_000)
    database.write(lambda c: c.execute("DELETE FROM thing"))

    def is_small() -> bool:
        give_back(database)
        return database.path.stat().st_size < 1_000_000

    eventually(is_small)  # not at the first try, when the log's own thread has the process lock
    assert database.wal_bytes() > 0  # it keeps its length: making it longer costs time


def test_a_file_that_cannot_give_anything_back_is_left_alone(tmp_path: Path) -> None:
    """Another program may have made it, or a dump."""
    path = tmp_path / "things.db"
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute("PRAGMA auto_vacuum = NONE; CREATE TABLE before (name TEXT)")
    with closing(Database(path, SCHEMA)) as database:
        add(database, "x" * 3_000_000)
        database.write(lambda c: c.execute("DELETE FROM thing"))
        give_back(database)

    assert path.stat().st_size > 3_000_000


def test_a_long_log_is_cut(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("brokers.sqlite.storage.wal_checkpoint.KEPT_PAGES", 100)
    add(database, "x" * 3_000_000)
    assert database.wal_bytes() > 3_000_000

    def is_cut() -> bool:
        give_back(database)
        return database.wal_bytes() == 0

    eventually(is_cut)


def test_little_spare_space_is_kept(database: Database) -> None:
    add(database, "thing")
    before = database.wal_bytes()

    give_back(database)
    assert database.wal_bytes() == before > 0


def test_a_reader_does_not_hold_up_writers_for_want_of_space(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Space is given back when nobody reads: it is not worth keeping every process waiting."""
    monkeypatch.setattr("brokers.sqlite.storage.connection.BUSY_TIMEOUT_MS", 600_000)
    add(database, "x" * 2_000_000)
    with snapshot_of(database, "thing"), ThreadPoolExecutor() as pool:
        add(database, "y")
        pool.submit(give_back, database).result(PATIENCE_S)
