"""Every database of ours is shared by a process and its forked children."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from dramatiq import Message

from actors.conversations import SQLiteConversationStore
from api.audit_log import AuditLog
from brokers import SQLiteBroker
from brokers.spool import SPOOL, SpooledBackend
from brokers.sqlite import SQLiteBackend, SQLiteRateLimiterBackend, SQLiteResultBackend
from tests.support import plain_http
from tests.support.conversations import CONVERSATION, inbound
from tests.support.messages import a_message
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.system import BIN, ROOT, Program
from tests.support.waiting import eventually


class Kind(NamedTuple):
    """A kind of database.

    Attributes:
      open: opens one, given its path.
      write: puts a number into it.
      holds: which of these numbers are in it.
    """

    open: Callable[[Path], Any]
    write: Callable[[Any, int], object]
    holds: Callable[[Any, Collection[int]], Collection[int]]


def a_spool(path: Path) -> SpooledBackend:
    """A spool before an engine that is full."""
    spooled = SpooledBackend(
        SQLiteBackend(path.with_name("full.db"), max_message_bytes=0), SQLiteBackend(path)
    )
    spooled._give_up("it is away")
    return spooled


def spooled(spool: SpooledBackend, numbers: Collection[int]) -> Collection[int]:
    ids = {message.message_id for message in spool._spool.list(SPOOL, "ready", limit=1_000)}
    return [number for number in numbers if f"m{number}" in ids]


def message(number: int) -> Message[Any]:
    return Message(queue_name="q", actor_name="a", args=(), kwargs={}, options={}, message_id=f"m{number}")


def results_of(results: SQLiteResultBackend, numbers: Collection[int]) -> Collection[int]:
    return [number for number in numbers if results.get_result(message(number)) == number]


def limits_of(limits: SQLiteRateLimiterBackend, numbers: Collection[int]) -> Collection[int]:
    return [number for number in numbers if not limits.add(f"key {number}", 1, 60_000)]


def texts_of(store: SQLiteConversationStore, numbers: Collection[int]) -> Collection[int]:
    texts = {entry.text for entry in store.reader.thread(CONVERSATION)}
    return [number for number in numbers if f"text {number}" in texts]


def targets_of(audit: AuditLog, numbers: Collection[int]) -> Collection[int]:
    targets = {entry.target for entry in audit.list(limit=1_000)}
    return [number for number in numbers if f"target {number}" in targets]


def queued(backend: SQLiteBackend, numbers: Collection[int]) -> Collection[int]:
    return [number for number in numbers if backend.get(f"m{number}") is not None]


KINDS = {
    "queue": Kind(SQLiteBackend, lambda b, n: b.enqueue(a_message(message_id=f"m{n}")), queued),
    "spool": Kind(a_spool, lambda b, n: b.enqueue(a_message(message_id=f"m{n}")), spooled),
    "results": Kind(SQLiteResultBackend, lambda r, n: r.store_result(message(n), n, 600_000), results_of),
    "rate limits": Kind(SQLiteRateLimiterBackend, lambda r, n: r.add(f"key {n}", 1, 600_000), limits_of),
    "conversations": Kind(
        SQLiteConversationStore,
        lambda c, n: c.append(inbound(f"text {n}", sid=f"SM{n:032x}"), received_at=n),
        texts_of,
    ),
    "audit": Kind(
        AuditLog, lambda a, n: a.record("tried", f"target {n}", who="a test", address=""), targets_of
    ),
}

COUNT = 40


def write_and_fork(channel: Connection, name: str, path: Path, directory: Path) -> None:
    """Write number 0, fork a child that writes the others, half of them once this process is gone."""
    kind = KINDS[name]
    database = kind.open(path)
    kind.write(database, 0)
    if os.fork():
        channel.recv()
        sys.exit(0)
    for number in range(1, COUNT // 2):
        kind.write(database, number)
    (directory / "half").touch()
    (directory / "go on").read_text()
    for number in range(COUNT // 2, COUNT + 1):
        kind.write(database, number)
    (directory / "all").touch()
    os._exit(0)


@pytest.mark.parametrize("name", KINDS)
def test_what_a_child_writes_outlives_its_parent(name: str, tmp_path: Path) -> None:
    kind, path = KINDS[name], tmp_path / "some.db"
    os.mkfifo(tmp_path / "go on")
    with Process(write_and_fork, name, path, tmp_path) as parent:
        eventually((tmp_path / "half").exists)
        parent.send("end")
        eventually(lambda: not parent.is_alive())
        with closing(kind.open(path)) as passer_by:
            assert len(kind.holds(passer_by, range(COUNT // 2))) == COUNT // 2
        (tmp_path / "go on").write_text("now")
        eventually((tmp_path / "all").exists)
    with closing(kind.open(path)) as database:
        assert len(kind.holds(database, range(COUNT + 1))) == COUNT + 1


#: What a user of gunicorn writes. The broker is used before the fork.
APPLICATION = """
import os
import dramatiq
from brokers import SQLiteBroker

broker = SQLiteBroker("queue.db")
dramatiq.set_broker(broker)

@dramatiq.actor
def work(number):
    pass

work.send("before the fork")

def application(environ, start_response):
    work.send(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
"""


@pytest.fixture
def gunicorn(tmp_path: Path) -> Iterator[str]:
    """Serves the application in processes that are forked after it was loaded; gives its address."""
    (tmp_path / "application.py").write_text(APPLICATION)
    port = free_port()
    command = [BIN / "gunicorn", "--preload", "--workers", "4", "--bind", f"127.0.0.1:{port}", "application"]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    program = Program([str(part) for part in command], log=tmp_path / "log", env=env, cwd=tmp_path)
    try:
        eventually(lambda: "Booting worker" in program.log)
        yield f"http://127.0.0.1:{port}"
        assert program.terminate() == 0
    finally:
        program.kill()


def test_children_of_a_preloaded_application_lose_nothing(gunicorn: str, tmp_path: Path) -> None:
    served_by: list[str] = []
    while len(served_by) < COUNT or len(set(served_by)) < 4:
        served_by.append(plain_http.get(f"{gunicorn}/{len(served_by)}").raise_for_status().text)
    with closing(SQLiteBroker(tmp_path / "queue.db", middleware=[])) as broker:
        [stats] = broker.backend.stats()
    assert stats.ready == len(served_by) + 1
