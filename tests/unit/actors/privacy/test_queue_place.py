"""The messages about a person, on an engine that is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from actors.privacy import Person
from actors.privacy.queue_place import CANNOT_LOOK, QueuePlace
from brokers.backend import Capabilities
from brokers.delegate import Delegate
from brokers.records import QueueMessage, StoredMessage
from brokers.sqlite import SQLiteBackend

MARIA = Person.read("+5511900001234")


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[SQLiteBackend]:
    with closing(SQLiteBackend(tmp_path / "queue.db")) as backend:
        yield backend


def put(backend: SQLiteBackend, message_id: str, number: str, *, delay_ms: int = 0) -> None:
    payload = json.dumps({"actor_name": "work", "args": [number], "kwargs": {}, "options": {}}).encode()
    assert backend.enqueue(QueueMessage(message_id, "attic", "work", payload, delay_ms=delay_ms))


def test_much_is_found_page_by_page(backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "capabilities", Capabilities(lookup_page=7))
    monkeypatch.setattr("actors.privacy.queue_place.STEP", 4)
    for number in range(40):
        put(backend, f"hers-{number}", "+5511900001234", delay_ms=number % 2 * 60_000)
        put(backend, f"other-{number}", "+5511900005678", delay_ms=number % 2 * 60_000)
    place = QueuePlace(backend)

    assert len(place.export(MARIA)) == 40
    assert place.erase(MARIA).counts == {"messages": 40, "dead letters": 0}

    assert list(place.export(MARIA)) == []
    [stats] = backend.stats()
    assert (stats.ready, stats.delayed) == (20, 20)


def test_a_message_that_is_claimed_meanwhile_stays_and_is_told_of(backend: SQLiteBackend) -> None:
    """It is found waiting, and claimed before it is deleted."""
    put(backend, "hers", "+5511900001234")

    class Claimed(Delegate):
        def remove(self, messages: Sequence[StoredMessage]) -> None:
            backend.dequeue("attic", limit=1, timeout_s=5)
            super().remove(messages)

    erased = QueuePlace(Claimed(backend)).erase(MARIA)

    assert erased.counts == {"messages": 0, "dead letters": 0}
    assert erased.running == 1
    assert backend.get("hers") is not None


def test_an_engine_that_cannot_look_says_so(backend: SQLiteBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    put(backend, "hers", "+5511900001234")
    monkeypatch.setattr(backend, "capabilities", Capabilities(looks_up=False))
    place = QueuePlace(backend)

    assert list(place.export(MARIA)) == []
    assert list(place.erase(MARIA).left) == [CANNOT_LOOK]
    assert backend.get("hers") is not None
