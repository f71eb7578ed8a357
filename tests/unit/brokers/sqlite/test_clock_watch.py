"""A clock that is set back keeps no delayed message waiting for longer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from brokers.sqlite import SQLiteBackend
from brokers.sqlite.maintenance.clock_watch import ClockWatch
from tests.support.messages import QUEUE, stored

DAY_MS = 86_400_000


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def backend(tmp_path: Path, clock: Clock) -> Iterator[SQLiteBackend]:
    with closing(SQLiteBackend(tmp_path / "queue.db", clock=clock)) as backend:
        yield backend


@pytest.fixture
def watch(backend: SQLiteBackend, clock: Clock) -> ClockWatch:
    watch = ClockWatch(backend.database, clock, on_mended=lambda: None)
    watch.look()
    return watch


def due_in_ms(backend: SQLiteBackend, clock: Clock, message_id: str) -> int:
    message = backend.get(message_id)
    assert message is not None
    return message.due_at - clock.now


def test_a_delay_is_as_long_as_before(backend: SQLiteBackend, clock: Clock, watch: ClockWatch) -> None:
    message_id = stored(backend, delay_ms=5_000)
    clock.now -= DAY_MS
    watch.look()
    assert due_in_ms(backend, clock, message_id) == 5_000
    clock.now += 4_999
    assert backend.dequeue(QUEUE, limit=1, timeout_s=0) == []
    clock.now += 1
    assert [each.message_id for each in backend.dequeue(QUEUE, limit=1, timeout_s=0)] == [message_id]


def test_no_second_look_makes_it_longer(backend: SQLiteBackend, clock: Clock, watch: ClockWatch) -> None:
    message_id = stored(backend, delay_ms=5_000)
    clock.now -= DAY_MS
    watch.look()
    clock.now += 3_000
    ClockWatch(backend.database, clock, on_mended=lambda: None).look()  # another process begins
    assert due_in_ms(backend, clock, message_id) == 2_000


def test_a_delay_of_the_new_clock_is_kept(backend: SQLiteBackend, clock: Clock, watch: ClockWatch) -> None:
    message_id = stored(backend)
    [delivery] = backend.dequeue(QUEUE, limit=1, timeout_s=0)
    clock.now -= DAY_MS
    backend.retry(delivery, queue=QUEUE, payload=delivery.payload, delay_ms=700, error=None)
    watch.look()
    assert due_in_ms(backend, clock, message_id) == 700


def test_a_process_that_begins_after_it_was_set_back_mends_it(backend: SQLiteBackend, clock: Clock) -> None:
    message_id = stored(backend, delay_ms=5_000)
    clock.now -= DAY_MS
    assert backend.dequeue(QUEUE, limit=1, timeout_s=0) == []
    assert due_in_ms(backend, clock, message_id) == 5_000


def test_a_clock_that_is_set_forward_changes_nothing(
    backend: SQLiteBackend, clock: Clock, watch: ClockWatch
) -> None:
    message_id = stored(backend, delay_ms=2 * DAY_MS)
    clock.now += DAY_MS
    watch.look()
    assert due_in_ms(backend, clock, message_id) == DAY_MS
