"""What the triggers keep: which ids are known, and how many messages each queue has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from brokers.clock import now_ms
from brokers.sqlite import SQLiteBackend, operator_statements, statements, tables
from brokers.sqlite.enqueue import INLINE_BYTES, Enqueue
from brokers.sqlite.liveness.process_registry import ProcessEntry
from brokers.sqlite.maintenance.clock_watch import ClockWatch
from brokers.sqlite.maintenance.id_cleanup import delete_spent_ids
from brokers.sqlite.maintenance.recovery import Recovery
from brokers.sqlite.maintenance.scheduler import Maintenance
from brokers.sqlite.storage.database import Database
from brokers.sqlite.storage.schema import Schema
from tests.conformance.test_state_machine import Modelled, Queue, picks, processes, queues
from tests.support.engines import SQLiteEngine
from tests.support.messages import QUEUE, a_message, found, stats_of
from tests.support.waiting import eventually

#: So many that the ids of those that go are not taken out one by one.
MANY = 20_000

#: The ids of messages, and those that have none any more.
KNOWN = "SELECT message_id FROM known_id"
LIVE = "SELECT message_id FROM message_queue"
SPENT = "SELECT message_id FROM spent_id"


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SQLiteBackend]:
    monkeypatch.setattr("brokers.sqlite.maintenance.scheduler.THOROUGH_EVERY", 10**9)  # the test cleans up
    with closing(SQLiteBackend(tmp_path / "queue.db")) as backend:
        yield backend


def fill(backend: SQLiteBackend, count: int, **fields: int) -> None:
    arrivals = [Enqueue(a_message(payload=b"x", **fields), backend._message_writer) for _ in range(count)]
    backend.database.write(lambda connection: Enqueue.apply_all(connection, arrivals))


def acked(backend: SQLiteBackend, count: int) -> list[str]:
    """The ids of messages that are done now, so many or as many as there are."""
    deliveries = backend.dequeue(QUEUE, limit=count, timeout_s=0)
    for delivery in deliveries:
        backend.ack(delivery)
    backend.sync()
    return [delivery.message_id for delivery in deliveries]


def ids(backend: SQLiteBackend, query: str) -> set[object]:
    return {row[0] for row in backend.database.read(lambda c: c.execute(query).fetchall())}


def recovery_of(database: Database, entry: ProcessEntry) -> Recovery:
    return Recovery(database, entry, max_deliveries=5, clock=now_ms, on_recovered=lambda: None)


def clean_up_ids(backend: SQLiteBackend) -> None:
    for _ in delete_spent_ids(backend.database):
        pass


# -- ids ----------------------------------------------------------------------------------------------


def test_while_there_are_few_an_id_goes_with_its_message(backend: SQLiteBackend) -> None:
    fill(backend, 3)
    gone: set[object] = set(acked(backend, 2))

    assert ids(backend, KNOWN) == ids(backend, LIVE)
    assert not ids(backend, KNOWN) & gone
    assert not ids(backend, SPENT)


def test_of_many_the_ids_are_deleted_together(backend: SQLiteBackend) -> None:
    fill(backend, MANY)
    gone: set[object] = set(acked(backend, 1_000))
    clean_up_ids(backend)
    assert ids(backend, SPENT) == gone  # it was not worth it yet
    assert ids(backend, KNOWN) == ids(backend, LIVE) | gone

    gone |= set(acked(backend, 4_000))
    clean_up_ids(backend)
    assert not ids(backend, SPENT)
    assert ids(backend, KNOWN) == ids(backend, LIVE)


def test_no_id_is_left_when_all_is_done(backend: SQLiteBackend) -> None:
    fill(backend, MANY)
    acked(backend, MANY)
    clean_up_ids(backend)

    assert not ids(backend, KNOWN)
    assert not ids(backend, SPENT)


def test_an_id_that_is_there_again_is_not_deleted(backend: SQLiteBackend) -> None:
    fill(backend, MANY)
    [again, *_] = acked(backend, 5_000)
    assert backend.enqueue(a_message(message_id=again, payload=b"again"))
    assert not backend.enqueue(a_message(message_id=again))
    clean_up_ids(backend)

    assert again in ids(backend, KNOWN)
    assert found(backend, again).payload == b"again"
    assert not backend.enqueue(a_message(message_id=again))


def test_a_cleanup_that_was_broken_off_is_made_again(backend: SQLiteBackend) -> None:
    fill(backend, MANY)
    acked(backend, 5_000)
    steps = delete_spent_ids(backend.database)
    next(steps)
    del steps

    clean_up_ids(backend)
    assert ids(backend, KNOWN) == ids(backend, LIVE)
    assert not ids(backend, SPENT)


def test_two_cleanups_at_a_time_leave_nothing_behind(backend: SQLiteBackend) -> None:
    fill(backend, MANY)
    acked(backend, 5_000)
    slow = delete_spent_ids(backend.database)
    next(slow)
    clean_up_ids(backend)
    gone = set(acked(backend, 800))  # noted after both began: not theirs

    for _ in slow:
        pass
    assert ids(backend, SPENT) == gone
    assert ids(backend, KNOWN) == ids(backend, LIVE) | gone


def test_of_very_many_so_many_are_deleted_at_a_time(
    backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brokers.sqlite.maintenance.id_cleanup.MAX_IDS", 700)
    fill(backend, MANY)
    gone = acked(backend, 1_000)
    clean_up_ids(backend)

    assert ids(backend, SPENT) == set(gone[700:])
    assert ids(backend, KNOWN) == ids(backend, LIVE) | set(gone[700:])


def test_the_maintenance_deletes_them(backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(backend, MANY)
    acked(backend, 5_000)
    monkeypatch.setattr("brokers.sqlite.maintenance.scheduler.THOROUGH_EVERY", 1)

    eventually(lambda: not ids(backend, SPENT))
    assert ids(backend, KNOWN) == ids(backend, LIVE)


def test_one_process_is_enough(backend: SQLiteBackend) -> None:
    fill(backend, MANY)
    gone: set[object] = set(acked(backend, 5_000))
    session = backend._consumer_session()
    with closing(ProcessEntry(backend.database.run_directory)) as entry:
        [not_first] = [
            recovery
            for own in (session.entry, entry)
            if not (recovery := recovery_of(backend.database, own)).is_first()
        ]
        watch = ClockWatch(backend.database, now_ms, on_mended=lambda: None)
        Maintenance(backend.database, session.receiver, not_first, watch).clean_up()

    assert ids(backend, SPENT) == gone
    assert ids(backend, KNOWN) == ids(backend, LIVE) | gone


@pytest.mark.parametrize(
    "statement",
    [
        statements.ACK,
        statements.ACK_ALL,
        operator_statements.DELETE_MESSAGES_OF_QUEUE,
        operator_statements.DELETE_DEAD_LETTERS_OF_QUEUE,
        operator_statements.discard([]),
        statements.DELETE_KNOWN_IDS,
        statements.DELETE_SPENT_IDS,
    ],
)
def test_what_deletes_keeps_no_copy_of_what_it_changes(backend: SQLiteBackend, statement: str) -> None:
    """A statement that cannot fail halfway needs none, however much it deletes."""
    program: Any = backend.database.read(
        lambda c: c.execute("EXPLAIN " + statement, [None] * statement.count("?")).fetchall()
    )

    assert len(program) > 5
    assert not [step for step in program if step[1] == "HaltIfNull" or (step[1] == "Halt" and step[2])]


# -- counts -------------------------------------------------------------------------------------------


def test_counting_takes_no_longer_for_more_messages(backend: SQLiteBackend) -> None:
    fill(backend, 2_000)
    few = steps_to_count(backend)
    fill(backend, 8_000)

    assert stats_of(backend).ready == 10_000
    assert steps_to_count(backend) <= few


def steps_to_count(backend: SQLiteBackend) -> int:
    """How many steps SQLite's machine takes."""
    steps = 0

    def step() -> bool:
        nonlocal steps
        steps += 1
        return False

    backend.stats()
    [reader] = backend.database._open().readers
    reader.set_progress_handler(step, 1)
    try:
        backend.stats()
    finally:
        reader.set_progress_handler(None)
    return steps


def test_a_flushed_queue_has_none(backend: SQLiteBackend) -> None:
    fill(backend, 2_500)
    fill(backend, 10, delay_ms=60_000)
    backend.flush(QUEUE)
    assert (stats_of(backend).ready, stats_of(backend).delayed) == (0, 0)

    fill(backend, 1_001)
    assert stats_of(backend).ready == 1_001


# -- in any order, with thresholds that thirty steps reach ----------------------------------------------


class TidiedQueue(Queue):
    """The contract's state machine, many messages at a time, and now and then a cleanup of ids."""

    backends: list[SQLiteBackend]  # type: ignore[assignment]

    @rule(by=processes, queue=queues, again=picks)
    def enqueue_many(self, by: int, queue: str, again: int) -> None:
        first, *others = [a_message(queue=queue) for _ in range(3)]
        known = self.pick(again, "waiting")
        twice = [] if known is None else [a_message(message_id=known, queue=queue)]
        arrivals = [
            Enqueue(each, self.backends[by]._message_writer) for each in (first, *twice, *others, first)
        ]
        self.backends[by].database.write(lambda connection: Enqueue.apply_all(connection, arrivals))
        assert [each.result for each in arrivals] == [True, *(False for _ in twice), True, True, False]
        for each in (first, *others):
            self.model[each.message_id] = Modelled(queue, 0, each.payload, self.now, self.place())

    @rule(by=processes)
    def clean_up(self, by: int) -> None:
        clean_up_ids(self.backends[by])

    @invariant()
    def every_id_without_a_message_will_be_deleted(self) -> None:
        def all_ids(connection: apsw.Connection) -> list[set[object]]:
            return [{row[0] for row in connection.execute(query)} for query in (KNOWN, LIVE, SPENT)]

        known, live, spent = self.backends[0].database.read(all_ids)  # in one snapshot: others clean up too
        assert live <= known <= live | spent


def test_ids_and_counts_are_right_whatever_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third, *later = tables.SCHEMA.steps
    for threshold, small in (("% 1000", "% 3"), ("10000", "2")):
        assert third.count(threshold) == 2
        third = third.replace(threshold, small)
    monkeypatch.setattr("brokers.sqlite.backend.SCHEMA", Schema("queue", (first, second, third, *later)))
    engine = SQLiteEngine(tmp_path)
    engine.hurry(monkeypatch.setattr)
    monkeypatch.setattr(TidiedQueue, "engine_beside", engine, raising=False)
    run_state_machine_as_test(
        TidiedQueue,
        settings=settings(
            max_examples=50, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_the_oldest_that_was_tried_before_is_found_without_a_search(tmp_path: Path) -> None:
    with closing(SQLiteBackend(tmp_path / "queue.db")) as backend:
        plan: Any = backend.database.read(
            lambda c: c.execute("EXPLAIN QUERY PLAN " + operator_statements.OLDEST_TRIED, (QUEUE,)).fetchall()
        )
    assert [row[3] for row in plan] == ["SEARCH message_queue USING INDEX message_tried (queue=?)"]


# -- from the versions before -------------------------------------------------------------------------

OLD_MESSAGE = """
INSERT INTO message_queue
    (message_id, queue, actor, state, priority, due_at, enqueued_at, owner, token, payload)
VALUES (?, ?, 'actor', ?, 0, ?, 1, ?, ?, ?)
"""
OLD_BODY = "INSERT INTO message_body SELECT id, ? FROM message_queue WHERE message_id = 'large'"
OLD_DEAD_LETTER = """
INSERT INTO dead_letter
    (message_id, queue, actor, priority, enqueued_at, deliveries, crashes, died_at, reason, payload)
VALUES ('dead', ?, 'actor', 0, 1, 1, 0, 2, 'failed', x'78')
"""


def test_a_file_of_the_version_before_keeps_its_messages(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with closing(Database(path, Schema("queue", tables.SCHEMA.steps[:2]))) as before:
        before.write(_as_version_2_left_it)

    with closing(SQLiteBackend(path)) as backend:
        [stats] = [each for each in backend.stats() if each.queue == QUEUE]
        assert (stats.ready, stats.delayed, stats.running, stats.dead) == (2, 1, 1, 1)
        assert (stats.done, stats.paused) == (7, False)
        assert found(backend, "large").payload == b"x" * (INLINE_BYTES + 1)
        assert not backend.enqueue(a_message(message_id="ready"))
        backend.report_death(0)  # what runs belongs to no living process
        assert set(acked(backend, 10)) == {"ready", "large", "running"}
        assert stats_of(backend).done == 10
        assert not ids(backend, "SELECT id FROM message_body")


def _as_version_2_left_it(connection: apsw.Connection) -> None:
    rows = [
        ("ready", "ready", None, None, b"x"),
        ("large", "ready", None, None, None),
        ("delayed", "delayed", None, None, b"x"),
        ("running", "running", 1, 2, b"x"),
    ]
    for message_id, state, owner, token, payload in rows:
        due_at = 2**60 if state == "delayed" else 1
        connection.execute(OLD_MESSAGE, (message_id, QUEUE, state, due_at, owner, token, payload))
    connection.execute(OLD_BODY, (b"x" * (INLINE_BYTES + 1),))
    connection.execute(OLD_DEAD_LETTER, (QUEUE,))
    connection.execute("INSERT INTO queue (name, done) VALUES (?, 7)", (QUEUE,))
