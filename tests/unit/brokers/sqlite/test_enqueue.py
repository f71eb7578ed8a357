"""Messages that share a commit are stored in one statement, and each of them is told its own outcome."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from brokers.records import QueueMessage
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.enqueue import INLINE_BYTES, Enqueue
from tests.support.messages import QUEUE, claimable, found, stats_of
from tests.support.sqlite import statements_run

LARGE = b"x" * (INLINE_BYTES + 1)


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[SQLiteBackend]:
    with closing(SQLiteBackend(tmp_path / "queue.db", clock=lambda: 1_000)) as backend:
        yield backend


def message(message_id: str, payload: bytes = b"", **fields: Any) -> QueueMessage:
    return QueueMessage(message_id, QUEUE, "actor", payload or message_id.encode(), **fields)


def store_all(backend: SQLiteBackend, *messages: QueueMessage) -> list[bool]:
    arrivals = [Enqueue(each, backend._message_writer) for each in messages]
    backend.database.write(lambda connection: Enqueue.apply_all(connection, arrivals))
    return [bool(each.result) for each in arrivals]


def test_each_keeps_its_own_payload_queue_and_place(backend: SQLiteBackend) -> None:
    payloads = {str(n): bytes([n]) * n for n in range(1, 50)} | {"text": "olá \x00".encode(), "empty": b""}
    messages = [QueueMessage(name, QUEUE, "actor", payload) for name, payload in payloads.items()]

    assert store_all(backend, *messages) == [True] * len(messages)

    assert claimable(backend, limit=100) == list(payloads)
    for name, payload in payloads.items():
        assert found(backend, name).payload == payload


def test_what_is_there_already_is_left_as_it_is(backend: SQLiteBackend) -> None:
    backend.enqueue(message("old", b"first"))

    assert store_all(
        backend, message("a"), message("old", b"second"), message("b"), message("a", b"again"), message("c")
    ) == [True, False, True, False, True]

    assert found(backend, "old").payload == b"first"
    assert found(backend, "a").payload == b"a"
    assert store_all(backend, message("a"), message("b")) == [False, False]
    assert stats_of(backend).ready == 4


def test_delays_priorities_large_ones_and_unique_keys_are_kept_apart(backend: SQLiteBackend) -> None:
    unique: dict[str, Any] = {"unique_key": "key", "unique_for_ms": 60_000}

    assert store_all(
        backend,
        message("later", delay_ms=500),
        message("urgent", priority=-1),
        message("large", LARGE),
        message("only", **unique),
        message("not again", **unique),
        message("last"),
    ) == [True, True, True, True, False, True]

    assert found(backend, "later").due_at == 1_500
    assert found(backend, "large").payload == LARGE
    assert claimable(backend) == ["urgent", "large", "only", "last"]


def test_one_statement_is_a_commit_of_its_own(backend: SQLiteBackend) -> None:
    backend.enqueue(message("first"))  # the queue is known from here on

    with statements_run(backend.database) as statements:
        assert backend.enqueue(message("second"))
        assert not backend.enqueue(message("second"))

    assert statements == ["INSERT", "INSERT"]


@pytest.mark.parametrize(
    "takes_more", [message("large", LARGE), message("only", unique_key="key", unique_for_ms=60_000)]
)
def test_what_takes_more_than_one_is_a_transaction(backend: SQLiteBackend, takes_more: QueueMessage) -> None:
    backend.enqueue(message("first"))

    with statements_run(backend.database) as statements:
        assert backend.enqueue(takes_more)

    assert (statements[0], statements[-1]) == ("BEGIN", "COMMIT")


def test_many_threads_get_their_own_answers(backend: SQLiteBackend) -> None:
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda n: backend.enqueue(message(str(n % 300))), range(600)))
    assert sum(answers) == 300
    assert stats_of(backend).ready == 300
