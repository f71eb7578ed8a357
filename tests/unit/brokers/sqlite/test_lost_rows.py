"""Whatever a row holds, or does not hold any more, no message suffers but the one whose own row it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import apsw
import pytest

from brokers.records import DeadLetterFilter
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.enqueue import INLINE_BYTES
from tests.support.messages import a_message, claimed
from tests.support.processes import Process

pytestmark = pytest.mark.starts_processes


#: The time at which all happens, and a time at which all that is delayed is due.
NOW, LATER = 1_800_000_000_000, 1_800_000_900_000

QUEUE, ANOTHER = "some", "another"
READY, DELAYED, DEAD = ["ready0", "ready1", "ready2", "large"], ["due soon", "due later"], ["dead0"]
SUSPECT, BESIDE_IT, NEW = "suspect", "beside it", "a new one"
ALL = {*READY, *DELAYED, *DEAD, SUSPECT, BESIDE_IT}

#: What a field is made to hold, as SQL.
VALUES = ["NULL", "'no number'", "CAST(x'ff00' AS TEXT)", "x'ff00ff'", "-7", "1.5", "9e18"]

#: What tells a table's rows apart, and the fields that are damaged.
TABLES: Mapping[str, tuple[str, Sequence[str]]] = {
    "message_queue": (
        "message_id",
        [
            *("message_id", "queue", "actor", "priority", "due_at", "enqueued_at", "deliveries", "crashes"),
            *("owner", "token", "last_error", "payload"),
        ],
    ),
    "message_body": ("id", ["payload"]),
    "dead_letter": ("message_id", ["queue", "priority", "reason", "payload"]),
    "queue": ("name", ["paused", "done", "live"]),
    "known_id": ("message_id", ["id"]),
    "unique_key": ("key", ["message_id", "expires_at"]),
    "counted": ("id", ["up_to", "total"]),
}


def claim_two(channel: Connection, path: Path) -> None:
    """Claim two messages, begin with the first, and wait to be killed."""
    backend = SQLiteBackend(path, clock=lambda: NOW)
    for name in (SUSPECT, BESIDE_IT):
        backend.enqueue(a_message(message_id=name, queue=QUEUE))
    backend.started(backend.dequeue(QUEUE, limit=2, timeout_s=0)[0])
    channel.send("claimed")
    channel.recv()


def arrange(path: Path) -> None:
    """A file with a message in every state, whose process has died."""
    with Process(claim_two, path) as process:
        process.receive()
    with closing(SQLiteBackend(path, clock=lambda: NOW)) as backend:
        for name in DEAD:
            backend.enqueue(a_message(message_id=name, queue=ANOTHER))
            backend.nack(claimed(backend, ANOTHER), reason="failed", error="x")
        for name in READY:
            payload = b"x" * (INLINE_BYTES + 1) if name == "large" else b"{}"
            unique = {"unique_key": name, "unique_for_ms": 1_000}
            backend.enqueue(a_message(message_id=name, queue=QUEUE, payload=payload, **unique))
        for number, name in enumerate(DELAYED):
            backend.enqueue(a_message(message_id=name, queue=QUEUE, delay_ms=1_000 + number * 10_000))


def copy(original: Path, path: Path) -> None:
    """A copy of a database, and of what its processes left beside it."""
    with (
        closing(apsw.Connection(str(original))) as source,
        closing(apsw.Connection(str(path))) as target,
        target.backup("main", source, "main") as backup,
    ):
        backup.step()
    beside = path.with_name(path.name + "-run")
    beside.mkdir()
    for lock in original.with_name(original.name + "-run").glob("*.lock"):
        (beside / lock.name).write_bytes(lock.read_bytes())


def answered_and_told(path: Path) -> tuple[set[str], set[str]]:
    """Let a new process work: what it can run, and what is a dead letter."""
    with closing(SQLiteBackend(path, clock=lambda: LATER)) as backend:
        assert backend.enqueue(a_message(message_id=NEW, queue=QUEUE))
        backend.resume(QUEUE)
        answered = {each for queue in queues_of(backend) for each in drained(backend, queue)}
        told = {letter.message_id for letter in backend.dead_letters(DeadLetterFilter(), limit=100)}
    return answered, told


def queues_of(backend: SQLiteBackend) -> Sequence[str]:
    return list({QUEUE, *(stats.queue for stats in backend.stats())})


def drained(backend: SQLiteBackend, queue: str) -> Iterator[str]:
    while deliveries := backend.dequeue(queue, limit=3, timeout_s=0):
        for delivery in deliveries:
            yield delivery.message_id
            backend.ack(delivery)
        backend.sync()


def damages(table: str) -> Iterator[str]:
    key, fields = TABLES[table]
    if table not in {"message_queue", "dead_letter"}:  # what is gone is gone
        yield f"DELETE FROM {table} WHERE {key} = ?"
    for field in fields:
        for value in VALUES:
            yield f"UPDATE {table} SET {field} = {value} WHERE {key} = ?"


def rows_of(path: Path, table: str) -> Sequence[Any]:
    with closing(apsw.Connection(str(path))) as connection:
        found = connection.execute(f"SELECT {TABLES[table][0]} FROM {table}").fetchall()
        return [row for (row,) in found]


@pytest.mark.parametrize("table", TABLES)
def test_only_the_message_suffers_whose_row_it_is(table: str, tmp_path: Path) -> None:
    original, path = tmp_path / "original.db", tmp_path / "damaged.db"
    arrange(original)
    for number, damage in enumerate(damages(table)):
        for row in rows_of(original, table):
            path = tmp_path / f"{number} {row}.db"
            copy(original, path)
            with closing(apsw.Connection(str(path))) as connection, suppress(apsw.ConstraintError):
                connection.execute(damage, (row,))

            answered, told = answered_and_told(path)
            touched = "large" if table == "message_body" else row
            assert NEW in answered, (damage, row)
            assert ALL - {touched, *DEAD} <= answered, (damage, row)
            # The one that was touched may have another name by now.
            assert len(answered | told) >= len(ALL | {NEW}), (damage, row)
