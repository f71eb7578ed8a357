"""I7: what is set aside is kept with its story, and a person decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from brokers.backend import QueueBackend
from brokers.records import DeadLetterFilter, Reason
from tests.support.engines import Engine
from tests.support.messages import (
    PATIENCE_S,
    QUEUE,
    buried,
    claimable,
    claimed,
    found,
    stats_of,
    stored,
)
from tests.support.waiting import eventually

from .conftest import OpenBackend

ALL = DeadLetterFilter()


def test_a_dead_letter_says_why_and_when(open_backend: OpenBackend) -> None:
    now = 1_000
    backend = open_backend(clock=lambda: now)
    message_id = stored(backend, payload=b"precious", actor="greet", priority=4)
    now += 500
    backend.nack(claimed(backend), reason="rejected", error="Traceback: ...")

    dead = found(backend, message_id)
    assert (dead.state, dead.reason, dead.last_error) == ("dead", "rejected", "Traceback: ...")
    assert (dead.enqueued_at, dead.died_at) == (1_000, 1_500)
    assert (dead.payload, dead.actor, dead.priority, dead.deliveries) == (b"precious", "greet", 4, 1)
    assert claimable(backend) == []
    assert backend.list(QUEUE, "dead") == [dead]


def test_the_last_error_is_kept_when_there_is_no_new_one(backend: QueueBackend) -> None:
    message_id = stored(backend)
    backend.retry(claimed(backend), queue=QUEUE, payload=b"", delay_ms=0, error="the first failure")
    backend.nack(claimed(backend), reason="rejected", error=None)

    assert found(backend, message_id).last_error == "the first failure"


def test_the_newest_comes_first_page_by_page(open_backend: OpenBackend) -> None:
    ticks = iter(range(1_000_000))
    backend = open_backend(clock=lambda: next(ticks))
    newest_first = [buried(backend) for _ in range(5)][::-1]

    pages = [backend.dead_letters(ALL, limit=2, offset=offset) for offset in (0, 2, 4)]
    assert [[dead.message_id for dead in page] for page in pages] == [
        newest_first[:2],
        newest_first[2:4],
        newest_first[4:],
    ]


@pytest.fixture
def three(backend: QueueBackend) -> Sequence[str]:
    """Three dead letters, each different in everything a filter can name."""
    ids = []
    reasons: tuple[Reason, ...] = ("failed", "expired", "rejected")
    for index, reason in enumerate(reasons):
        ids.append(stored(backend, queue=f"queue-{index}", actor=f"actor-{index}"))
        backend.nack(claimed(backend, f"queue-{index}"), reason=reason, error=None)
    return ids


def test_dead_letters_are_found_by_what_they_say_and_when_they_died(open_backend: OpenBackend) -> None:
    now = 1_000
    backend = open_backend(clock=lambda: now)
    ids = []
    for text, error in (('{"Body": "caf\\u00e9?"}', "no"), ("café", "no"), ("{}", "ValueError: café")):
        ids.append(stored(backend, payload=text.encode()))
        backend.nack(claimed(backend), reason="failed", error=error)
        now += 1_000

    def matching(**criteria: Any) -> list[str]:
        which = DeadLetterFilter(**criteria)
        found = [letter.message_id for letter in backend.dead_letters(which)]
        assert backend.count_dead_letters(which) == len(found)
        named = DeadLetterFilter(message_ids=ids, **criteria)
        assert [letter.message_id for letter in backend.dead_letters(named)] == found
        return found[::-1]

    assert matching(text="café") == ids
    assert matching(text="café", died_since=2_000) == ids[1:]
    assert matching(died_before=2_000) == ids[:1]
    assert matching(text="ValueError") == ids[2:]
    assert matching(text="%") == []
    assert backend.discard(DeadLetterFilter(text="café", died_before=3_000)) == 2
    assert matching() == ids[2:]


FILTERS: dict[str, Callable[[Sequence[str]], DeadLetterFilter]] = {
    "queue": lambda _: DeadLetterFilter(queue="queue-1"),
    "actor": lambda _: DeadLetterFilter(actor="actor-1"),
    "reason": lambda _: DeadLetterFilter(reason="expired"),
    "ids": lambda ids: DeadLetterFilter(message_ids=[ids[1], "unknown"]),
    "all of them": lambda ids: DeadLetterFilter("queue-1", "actor-1", "expired", [ids[1]]),
}


def test_pages_and_counts_go_together_however_they_are_narrowed(open_backend: OpenBackend) -> None:
    now = 0
    backend = open_backend(clock=lambda: now)
    died: list[tuple[str, str, int]] = []
    for number in range(9):
        now += 1_000
        queue = f"queue-{number % 2}"
        died.append((buried(backend, queue=queue), queue, now))

    for narrowed in (None, "queue-0", "queue-1", "nowhere"):
        for since, before in ((None, None), (3_000, None), (None, 7_000), (3_000, 7_000), (7_000, 3_000)):
            which = DeadLetterFilter(queue=narrowed, died_since=since, died_before=before)
            expected = [
                message_id
                for message_id, of, at in reversed(died)
                if narrowed in {None, of}
                and (since is None or at >= since)
                and (before is None or at < before)
            ]
            assert backend.count_dead_letters(which) == len(expected)
            for offset in (0, 1, 3, 50):
                page = backend.dead_letters(which, limit=2, offset=offset)
                assert [letter.message_id for letter in page] == expected[offset : offset + 2]


@pytest.mark.needs("in_due_order")
def test_what_runs_is_listed_in_the_order_it_came(backend: QueueBackend) -> None:
    ids = [stored(backend) for _ in range(4)]
    elsewhere = stored(backend, queue="elsewhere")
    backend.dequeue("default", limit=3, timeout_s=0)
    backend.dequeue("elsewhere", limit=1, timeout_s=0)

    assert [message.message_id for message in backend.list("default", "running")] == ids[:3]
    assert [message.message_id for message in backend.list("default", "running", limit=1, offset=2)] == ids[
        2:3
    ]
    assert [message.message_id for message in backend.list("elsewhere", "running")] == [elsewhere]


@pytest.mark.parametrize("by", FILTERS)
def test_a_filter_narrows_what_is_listed_and_discarded(
    backend: QueueBackend, three: Sequence[str], by: str
) -> None:
    which = FILTERS[by](three)

    assert [dead.message_id for dead in backend.dead_letters(which)] == [three[1]]
    assert backend.discard(which) == 1
    assert {dead.message_id for dead in backend.dead_letters(ALL)} == {three[0], three[2]}
    assert backend.discard(which) == 0


@pytest.mark.parametrize(
    "which", [DeadLetterFilter(message_ids=[]), DeadLetterFilter("queue-1", reason="failed")]
)
def test_a_filter_that_matches_nothing_discards_nothing(
    backend: QueueBackend, three: Sequence[str], which: DeadLetterFilter
) -> None:
    assert backend.dead_letters(which) == []
    assert backend.discard(which) == 0
    assert len(backend.dead_letters(ALL)) == 3


def test_only_dead_letters_are_discarded(backend: QueueBackend) -> None:
    buried(backend)
    message_id = stored(backend)

    assert backend.discard(ALL) == 1
    assert found(backend, message_id).state == "ready"


def test_a_replayed_message_starts_afresh(backend: QueueBackend) -> None:
    message_id = buried(backend, payload=b"precious", priority=2)

    assert backend.replay(message_id)
    again = found(backend, message_id)
    assert (again.state, again.payload, again.priority) == ("ready", b"precious", 2)
    assert (again.deliveries, again.crashes, again.last_error, again.reason) == (0, 0, None, None)
    assert claimable(backend) == [message_id]
    assert stats_of(backend).dead == 0


def test_a_replay_may_change_the_payload(backend: QueueBackend) -> None:
    message_id = buried(backend, payload=b"broken")

    assert backend.replay(message_id, payload=b"mended")
    assert found(backend, message_id).payload == b"mended"


def test_only_a_dead_letter_can_be_replayed(backend: QueueBackend) -> None:
    message_id = stored(backend)

    assert not backend.replay(message_id)
    assert not backend.replay("unknown")
    assert claimable(backend) == [message_id]


def test_a_dead_letter_is_replayed_once(backend: QueueBackend) -> None:
    message_id = buried(backend)

    with ThreadPoolExecutor() as pool:
        assert sorted(pool.map(backend.replay, [message_id] * 4)) == [False, False, False, True]
    assert claimable(backend) == [message_id]


def test_a_replay_wakes_a_waiting_consumer(engine: Engine, backend: QueueBackend) -> None:
    message_id = buried(backend)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(claimed, backend)
        eventually(lambda: engine.waiting() == 1)
        backend.replay(message_id)
        assert waiting.result(PATIENCE_S).message_id == message_id


def test_a_large_payload_survives_death_and_return(backend: QueueBackend) -> None:
    payload = b"large " * 10_000
    message_id = buried(backend, payload=payload)

    assert found(backend, message_id).payload == payload
    backend.replay(message_id)
    assert claimed(backend).payload == payload


def test_a_flushed_queue_is_empty_in_every_state(backend: QueueBackend) -> None:
    buried(backend)
    stored(backend, payload=b"large " * 10_000)
    claimed(backend)
    stored(backend)
    stored(backend, delay_ms=60_000)
    kept = stored(backend, queue="other")

    backend.flush(QUEUE)
    stats = stats_of(backend)
    assert (stats.ready, stats.delayed, stats.running, stats.dead) == (0, 0, 0, 0)
    assert found(backend, kept).state == "ready"
