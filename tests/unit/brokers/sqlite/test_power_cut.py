"""What a power cut leaves: nothing but what was synced, and everything that anybody was told is stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import pytest

from brokers.backend import QueueBackend
from brokers.errors import EngineError
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.enqueue import Enqueue
from tests.support.engines import SQLiteEngine
from tests.support.messages import QUEUE, a_message
from tests.support.power import cut_power, disk, put_in_place
from tests.support.remote import Remote

pytestmark = pytest.mark.starts_processes


def store(backend: QueueBackend, count: int = 1) -> list[str]:
    """The ids of those that were told to be stored."""
    messages = [a_message() for _ in range(count)]
    stored = []
    for message in messages:
        with suppress(EngineError):
            backend.enqueue(message)
            stored.append(message.message_id)
    return stored


def one_by_one(backend: QueueBackend) -> list[str]:
    return store(backend, 5)


def many_at_once(backend: QueueBackend) -> list[str]:
    with ThreadPoolExecutor(max_workers=20) as pool:
        return [stored for each in pool.map(store, [backend] * 100) for stored in each]


def while_syncs_fail(backend: QueueBackend) -> list[str]:
    stored = []
    for failures in range(1, 6):
        disk.failures = failures
        stored += store(backend, 8)
    return stored


def many_at_once_while_syncs_fail(backend: QueueBackend) -> list[str]:
    stored = []
    for failures in range(1, 6):
        disk.failures = failures
        stored += many_at_once(backend)
    return stored


def again_after_a_failure(backend: QueueBackend) -> list[str]:
    """Whoever was told of a failure sends the message once more."""
    message = a_message()
    disk.failures = 4
    for _ in range(5):
        with suppress(EngineError):
            backend.enqueue(message)
    backend.enqueue(message)
    return [message.message_id]


def together_behind_what_was_not_synced(backend: SQLiteBackend) -> list[str]:
    """What was not synced on purpose is lost with what was to be synced."""
    stored = store(backend)
    backend.release(backend.dequeue(QUEUE, limit=1, timeout_s=0))
    disk.failures = 1
    messages = [a_message() for _ in range(2)]
    arrivals = [Enqueue(message, backend._message_writer) for message in messages]
    backend.database._open().transactions.commit(list(arrivals))
    return stored + [m.message_id for m, arrival in zip(messages, arrivals, strict=True) if not arrival.error]


@pytest.fixture
def child(tmp_path: Path) -> Iterator[Remote]:
    """A process whose files lie on that disk."""
    with Remote(SQLiteEngine(tmp_path)) as child:
        child.run(put_in_place)
        yield child


@pytest.mark.parametrize(
    "scenario",
    [
        one_by_one,
        many_at_once,
        while_syncs_fail,
        many_at_once_while_syncs_fail,
        again_after_a_failure,
        together_behind_what_was_not_synced,
    ],
)
def test_it_takes_nothing_that_was_told_to_be_stored(
    tmp_path: Path, child: Remote, scenario: Callable[[QueueBackend], list[str]]
) -> None:
    stored = child.run(scenario)
    child.run(partial(cut_power, tmp_path / "left"))
    with closing(SQLiteBackend(tmp_path / "left" / "queue.db")) as restored:
        assert [restored.get(message_id) is not None for message_id in stored] == [True] * len(stored)
    assert stored
