"""Moving house: every message arrives as it was, once, also when the move is broken off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from brokers.backend import QueueBackend
from brokers.bullmq import BullMQBackend
from brokers.errors import EngineError
from brokers.records import StoredMessage
from brokers.redis import RedisBackend
from brokers.sqlite import SQLiteBackend
from ops.moving import PAGE, StillRunning, move_messages, stop
from tests.support.messages import buried, claimable, claimed, found, stats_of, stored
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.starts_processes


@pytest.fixture
def file(tmp_path: Path) -> Iterator[QueueBackend]:
    with closing(SQLiteBackend(tmp_path / "queue.db")) as backend:
        yield backend


@pytest.fixture
def server(tmp_path: Path) -> Iterator[QueueBackend]:
    with RedisServer(tmp_path) as server, closing(RedisBackend(server.url)) as backend:
        yield backend


@pytest.fixture
def bullmq(tmp_path: Path) -> Iterator[QueueBackend]:
    with RedisServer(tmp_path) as server, closing(BullMQBackend(server.url)) as backend:
        yield backend


#: From where to where.
HOUSES = {
    "to Redis": ("file", "server"),
    "to SQLite": ("server", "file"),
    "to BullMQ": ("file", "bullmq"),
    "from BullMQ": ("bullmq", "file"),
}


@pytest.fixture(params=HOUSES)
def house(request: pytest.FixtureRequest) -> tuple[QueueBackend, QueueBackend]:
    """What to leave, and where to go."""
    source, target = HOUSES[request.param]
    return request.getfixturevalue(source), request.getfixturevalue(target)


def silently(_: str) -> None:
    """Say nothing."""


def test_every_message_arrives_as_it_was(house: tuple[QueueBackend, QueueBackend]) -> None:
    source, target = house
    waiting = [stored(source) for _ in range(PAGE + 5)]
    others = [
        stored(source, delay_ms=600_000),
        stored(source, queue="another"),
        buried(source, queue="third"),
    ]
    before = {message_id: found(source, message_id) for message_id in [*waiting, *others]}

    stop(source, patience_s=10)
    assert move_messages(source, target, say=silently) == len(before)

    assert {message_id: target.get(message_id) for message_id in before} == before
    assert all(source.get(message_id) is None for message_id in before)
    assert claimable(target, limit=500) == waiting
    assert stats_of(source).paused
    assert not stats_of(target).paused


def test_a_move_that_was_broken_off_goes_on(
    house: tuple[QueueBackend, QueueBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is stored there, and not yet deleted here."""
    source, target = house
    waiting = [stored(source) for _ in range(3)]

    def break_off(_: Sequence[StoredMessage]) -> None:
        raise EngineError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(source, "remove", break_off)
        with pytest.raises(EngineError):
            move_messages(source, target, say=silently)
    move_messages(source, target, say=silently)

    assert claimable(target) == waiting
    assert stats_of(source).ready == 0


def test_nothing_moves_while_something_runs(house: tuple[QueueBackend, QueueBackend]) -> None:
    source, _ = house
    message_id = stored(source)
    delivery = claimed(source)
    with pytest.raises(StillRunning, match="1 message"):
        stop(source, patience_s=0.3)

    assert found(source, message_id).state == "running"
    source.ack(delivery)
    source.sync()
    stop(source, patience_s=10)
