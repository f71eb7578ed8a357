"""Whether a message costs more to claim when a million others wait."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import apsw

from brokers.clock import now_ms
from brokers.records import Delivery
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.maintenance.id_cleanup import delete_spent_ids
from brokers.sqlite.maintenance.vacuum import give_space_back
from brokers.sqlite.settlement import move_to_dead_letters
from brokers.sqlite.storage.connection import PAGE_BYTES, Connection, connect
from brokers.sqlite.storage.wal_checkpoint import checkpoint
from tests.support.waiting import eventually

from .contenders import QUEUE, fill, plain
from .figures import Bar, Figure, figure
from .harness import Bench, in_child

TITLE = "Scale: claim and ack in a full database against an almost empty one"

BATCHES = (1, 16, 64)
AN_HOUR_MS = 3_600_000

#: How many messages are claimed at a time where only the end counts.
MANY = 1_000

MB = 1_000_000

#: How long the engine may copy its log, or tidy up, in seconds.
SETTLED_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Sizes:
    """What lies in the full database."""

    ready: int
    delayed: int
    dead: int
    elsewhere: int  # in another queue
    samples: int  # for each batch size


@dataclass(slots=True)
class Outcome:
    """What was found. Costs are microseconds for each message, by batch size."""

    full_us: dict[int, float] = field(default_factory=dict)
    empty_us: dict[int, float] = field(default_factory=dict)
    enqueue_full_us: float = 0.0
    enqueue_empty_us: float = 0.0
    before_mb: float = 0.0
    filled_mb: float = 0.0
    drained_mb: float = 0.0
    given_back_mb: float = 0.0
    tidying_s: float = 0.0
    slowest_step_ms: float = 0.0
    drained_per_second: float = 0.0


def measure(bench: Bench) -> list[Figure]:
    full = Sizes(ready=1_000_000, delayed=100_000, dead=100_000, elsewhere=20_000, samples=1_000)
    quick = Sizes(ready=5_000, delayed=500, dead=500, elsewhere=100, samples=20)
    sizes = bench.size(full, quick)
    # One run: its samples alternate between the two databases.
    bench.say(f"filling a database with {sizes.ready:,} messages, measuring, draining it")
    with bench.directory() as directory:
        found = in_child(_measure, directory, sizes)
    peer = "an almost empty queue"
    costs = [
        figure(
            f"claim + ack of a message, {batch} at a time",
            "µs",
            [found.full_us[batch]],
            peer=peer,
            theirs=[found.empty_us[batch]],
            bar=Bar("at most", 1.3),
        )
        for batch in BATCHES
    ]
    idle_s = 2 * found.tidying_s  # it rests for as long as it works
    return [
        *costs,
        figure(
            "durable enqueue of a message",
            "µs",
            [found.enqueue_full_us],
            peer=peer,
            theirs=[found.enqueue_empty_us],
        ),
        figure("draining it, one thread", "/s", [found.drained_per_second]),
        figure("file: when full", "MB", [found.filled_mb], peer="before", theirs=[found.before_mb]),
        figure("file: when drained", "MB", [found.drained_mb], peer="before", theirs=[found.before_mb]),
        figure(
            "file: when space is given back",
            "MB",
            [found.given_back_mb],
            peer="before",
            theirs=[found.before_mb],
            bar=Bar("at most", 1.2),
        ),
        figure("file: idle time until space is given back", "s", [idle_s]),
        figure("file: slowest step of giving it back", "ms", [found.slowest_step_ms]),
    ]


def _measure(directory: Path, sizes: Sizes) -> Outcome:
    found = Outcome()
    path = directory / "full.db"
    with closing(SQLiteBackend(path)) as full, closing(SQLiteBackend(directory / "empty.db")) as empty:
        _fill_around(full, sizes)
        found.before_mb = _settled_mb(full)
        fill(full, (plain() for _ in range(sizes.ready)))
        found.filled_mb = _settled_mb(full)
        _compare(full, empty, sizes, found)
        began = time.perf_counter()
        drained = 0
        while deliveries := full.dequeue(QUEUE, limit=MANY, timeout_s=0):
            _ack(full, deliveries)
            drained += len(deliveries)
        found.drained_per_second = drained / (time.perf_counter() - began)
    with closing(SQLiteBackend(path)) as full:  # anew: no maintenance of its own gives back
        found.drained_mb = _settled_mb(full)
        _tidy_up(full, found)
    return found


def _compare(full: SQLiteBackend, empty: SQLiteBackend, sizes: Sizes, found: Outcome) -> None:
    """Everything in turns, so that a machine's whim of a second hits all alike."""
    backends = {"full": full, "empty": empty}
    costs: dict[tuple[str, int], list[float]] = {(name, batch): [] for name in backends for batch in BATCHES}
    for _ in range(sizes.samples):
        for (name, batch), so_far in costs.items():
            so_far.append(_claim_and_ack(backends[name], batch))
    for batch in BATCHES:
        found.full_us[batch] = statistics.median(costs["full", batch])
        found.empty_us[batch] = statistics.median(costs["empty", batch])
    enqueues: dict[str, list[float]] = {name: [] for name in backends}
    for _ in range(sizes.samples):
        for name, backend in backends.items():
            began = time.perf_counter()
            backend.enqueue(plain())
            enqueues[name].append((time.perf_counter() - began) * 1e6)
    found.enqueue_full_us, found.enqueue_empty_us = map(statistics.median, enqueues.values())


def _claim_and_ack(backend: SQLiteBackend, batch: int) -> float:
    """Microseconds a message. As many as are claimed come in before, in both databases."""
    fill(backend, (plain() for _ in range(batch)))
    began = time.perf_counter()
    deliveries = backend.dequeue(QUEUE, limit=batch, timeout_s=0)
    _ack(backend, deliveries)
    elapsed_s = time.perf_counter() - began
    assert len(deliveries) == batch
    return elapsed_s * 1e6 / batch


def _ack(backend: SQLiteBackend, deliveries: Sequence[Delivery]) -> None:
    for delivery in deliveries:
        backend.ack(delivery)
    backend.sync()


def _fill_around(backend: SQLiteBackend, sizes: Sizes) -> None:
    """Everything but the ready messages of the queue that is measured."""
    fill(backend, (plain() for _ in range(sizes.dead)))
    while deliveries := backend.dequeue(QUEUE, limit=MANY, timeout_s=0):
        backend.database.write(partial(_move_all_to_dead_letters, deliveries), durable=False)
    fill(backend, (plain(delay_ms=AN_HOUR_MS) for _ in range(sizes.delayed)))
    fill(backend, (plain(queue="elsewhere") for _ in range(sizes.elsewhere)))


def _move_all_to_dead_letters(deliveries: Sequence[Delivery], connection: object) -> None:
    for delivery in deliveries:
        move_to_dead_letters(
            connection,  # type: ignore[arg-type]
            cast(int, delivery.receipt),
            delivery.token,
            reason="failed",
            error="ValueError: no",
            now_ms=now_ms(),
        )


def _settled_mb(backend: SQLiteBackend) -> float:
    """The size of the database file once all is in it."""
    path = backend.database.path
    with closing(connect(path)) as connection:
        eventually(partial(_copied, connection), within_s=SETTLED_WITHIN_S)
    return path.stat().st_size / MB


def _copied(connection: Connection) -> bool:
    try:
        checkpoint(connection)
    except apsw.BusyError:
        return False  # the engine's own thread is at it
    return True


def _tidy_up(backend: SQLiteBackend, found: Outcome) -> None:
    """What an idle worker's maintenance does, step by step, until nothing is left to do."""
    database = backend.database
    began = time.perf_counter()
    while list(delete_spent_ids(database)):
        pass  # there are more than it takes at a time
    while database.read(lambda c: c.pragma("freelist_count")) * PAGE_BYTES >= MB:
        assert time.perf_counter() < began + SETTLED_WITHIN_S
        step_began = time.perf_counter()
        for _ in give_space_back(database, MB):  # ends early when the engine's own thread has the lock
            step_ended = time.perf_counter()
            found.slowest_step_ms = max(found.slowest_step_ms, (step_ended - step_began) * 1000)
            step_began = step_ended
    found.tidying_s = time.perf_counter() - began
    found.given_back_mb = database.path.stat().st_size / MB
