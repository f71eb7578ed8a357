"""Store and forward: a message is taken while the server is away, and arrives once, in order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from brokers.backend import QueueBackend
from brokers.clock import now_ms
from brokers.errors import EngineError, MessageTooLarge, NotDurable
from brokers.records import QueueMessage
from brokers.redis import RedisBackend, RedisOptions
from brokers.spool import SPOOL, SpooledBackend, _packed
from brokers.sqlite import SQLiteBackend
from tests.support.messages import QUEUE, a_message, claimable, claimed, found, stats_of
from tests.support.redis_server import RedisServer
from tests.support.waiting import eventually

#: How long an enqueue waits for the server in these tests, in seconds.
PATIENCE_S = 0.5


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def queue(server: RedisServer) -> Iterator[RedisBackend]:
    """Somebody else's way to the server: a worker's."""
    backend = RedisBackend(server.url)
    yield backend
    backend.close()


Open = Callable[[], SpooledBackend]


@pytest.fixture
def open_spooled(server: RedisServer, tmp_path: Path) -> Iterator[Open]:
    """Starts an API's side of the queue, as after a restart of the API."""
    with ExitStack() as stack:

        def open_one() -> SpooledBackend:
            spooled = SpooledBackend(
                RedisBackend(RedisOptions(server.url, timeout_s=1.0), max_message_bytes=10_000),
                SQLiteBackend(tmp_path / "spool.db"),
                patience_s=PATIENCE_S,
            )
            spooled.start(timeout_s=10)
            stack.callback(spooled.close)
            return spooled

        yield open_one


@pytest.fixture
def spooled(open_spooled: Open) -> SpooledBackend:
    return open_spooled()


def sent(spooled: SpooledBackend, *messages: QueueMessage) -> list[bool]:
    """Enqueue side by side, as webhooks come."""

    async def send_all() -> list[bool]:
        return list(await asyncio.gather(*map(spooled.enqueue_async, messages)))

    return asyncio.run(send_all())


def messages(count: int) -> list[QueueMessage]:
    return [a_message(payload=f"{number}".encode()) for number in range(count)]


def ids(sent_messages: list[QueueMessage]) -> list[str]:
    return [message.message_id for message in sent_messages]


def test_a_message_goes_straight_to_the_server_while_it_answers(
    spooled: SpooledBackend, queue: QueueBackend
) -> None:
    message = a_message(payload=b"hello")

    assert sent(spooled, message) == [True]
    assert found(queue, message.message_id).payload == b"hello"
    assert (spooled.trouble, spooled.depth().messages) == (None, 0)


def test_what_comes_while_the_server_is_stopped_arrives_once_and_in_order(
    spooled: SpooledBackend, server: RedisServer, queue: QueueBackend
) -> None:
    """The first ones are in the server's socket when it stops: it carries them out when it goes on."""
    sent(spooled, a_message(queue="warm"))
    first, more = messages(3), messages(5)
    server.stop()
    sent(spooled, *first)
    for message in more:
        sent(spooled, message)
    assert spooled.trouble is not None
    assert spooled.depth().messages == 8
    assert spooled.depth().oldest_age_s > 0

    server.go_on()
    eventually(lambda: spooled.trouble is None)
    assert claimable(queue) == ids([*first, *more])
    assert spooled.depth().messages == 0


def test_a_start_that_is_repeated_checks_again_and_starts_one_forwarder(spooled: SpooledBackend) -> None:
    spooled.start(timeout_s=10)

    assert sent(spooled, a_message()) == [True]


def test_one_message_waits_and_those_after_it_do_not(spooled: SpooledBackend, server: RedisServer) -> None:
    sent(spooled, a_message(queue="warm"))
    server.stop()
    sent(spooled, a_message())
    began = time.monotonic()
    for message in messages(20):
        sent(spooled, message)
    assert time.monotonic() - began < 20 * PATIENCE_S
    server.go_on()


def test_nobody_overtakes_those_that_wait(
    open_spooled: Open, server: RedisServer, queue: QueueBackend
) -> None:
    spooled = open_spooled()
    server.kill()
    many = messages(300)
    sent(spooled, *many[:200])
    server.start()
    sent(spooled, *many[200:])

    eventually(lambda: spooled.trouble is None)
    assert claimable(queue, limit=500) == ids(many)


def test_what_the_server_took_and_finished_is_not_stored_again(
    spooled: SpooledBackend, server: RedisServer, queue: QueueBackend
) -> None:
    """The answer was lost, not the message: a worker is done with it before it is forwarded."""
    message = a_message()
    assert sent(spooled, message) == [True]
    queue.ack(claimed(queue))
    queue.sync()
    server.kill()
    sent(spooled, message, a_message(queue="another"))
    server.start()

    eventually(lambda: spooled.trouble is None)
    assert queue.get(message.message_id) is None
    assert stats_of(queue).done == 1


def test_a_restart_forwards_what_was_left(
    open_spooled: Open, server: RedisServer, queue: QueueBackend
) -> None:
    before = open_spooled()
    server.kill()
    many = messages(10)
    sent(before, *many)
    before.close()
    after = open_spooled()
    assert after.depth().messages == 10
    assert after.trouble is not None

    server.start()
    eventually(lambda: after.trouble is None)
    assert claimable(queue) == ids(many)


def test_all_that_belongs_to_a_message_survives(
    spooled: SpooledBackend, server: RedisServer, queue: QueueBackend
) -> None:
    server.kill()
    message = QueueMessage("an id", "a queue", "an actor", b"\n\x00\xff", priority=7, delay_ms=600_000)
    sent(spooled, message)
    server.start()

    eventually(lambda: spooled.trouble is None)
    stored = found(queue, "an id")
    assert (stored.queue, stored.actor, stored.payload) == ("a queue", "an actor", b"\n\x00\xff")
    assert (stored.priority, stored.state) == (7, "delayed")
    assert 0 <= stored.due_at - stored.enqueued_at <= 600_000


def test_the_age_of_a_message_counts_from_when_it_was_spooled(
    spooled: SpooledBackend, server: RedisServer, queue: QueueBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.kill()
    with monkeypatch.context() as patch:  # ten minutes ago
        patch.setattr(spooled.store._message_writer, "_clock", lambda: now_ms() - 600_000)  # type: ignore[attr-defined]
        sent(spooled, QueueMessage("an id", "a queue", "an actor", b"{}"))
    server.start()

    eventually(lambda: spooled.trouble is None)
    stored = found(queue, "an id")
    assert stored.due_at - stored.enqueued_at >= 600_000


def test_a_message_that_is_too_large_is_refused_and_not_spooled(spooled: SpooledBackend) -> None:
    with pytest.raises(MessageTooLarge):
        sent(spooled, a_message(payload=b"x" * 10_001))
    assert spooled.depth().messages == 0


def test_what_can_never_be_forwarded_holds_up_nobody(
    spooled: SpooledBackend, server: RedisServer, queue: QueueBackend, tmp_path: Path
) -> None:
    server.kill()
    first, good = a_message(), a_message()
    sent(spooled, first)
    sent(spooled, a_message(payload=b"x" * 10_001), good)  # the spool's own limit is higher
    server.start()

    eventually(lambda: spooled.trouble is None)
    assert claimable(queue) == [first.message_id, good.message_id]
    spool = SQLiteBackend(tmp_path / "spool.db")
    assert [letter.reason for letter in spool.list(SPOOL, "dead")] == ["undeliverable"]
    spool.close()


def test_what_the_spool_could_not_take_back_is_not_stuck_until_a_restart(
    spooled: SpooledBackend, server: RedisServer, queue: QueueBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine went away in the midst of forwarding, and the disk was full in that moment."""
    refusals = iter([EngineError("the disk is full")] * 3)
    release = spooled._spool.release

    def refuse_first(*args: object, **options: object) -> None:
        for refusal in refusals:
            raise refusal
        release(*args, **options)  # type: ignore[arg-type]

    async def away(_: QueueMessage) -> bool:
        raise EngineError("away")

    monkeypatch.setattr(spooled._spool, "release", refuse_first)
    many = messages(5)
    with monkeypatch.context() as patch:
        patch.setattr(spooled._engine, "enqueue_async", away)
        sent(spooled, *many)
        eventually(lambda: next(refusals, None) is None)

    eventually(lambda: spooled.trouble is None)
    assert claimable(queue) == ids(many)


def test_a_spooled_message_that_cannot_be_read_holds_up_nobody(
    spooled: SpooledBackend, queue: QueueBackend, tmp_path: Path
) -> None:
    with closing(SQLiteBackend(tmp_path / "spool.db")) as spool:
        spool.enqueue(QueueMessage("broken", SPOOL, "work", b"no head"))
        spool.enqueue(_packed(good := a_message()))
        eventually(lambda: stats_of(spool, SPOOL).dead == 1)
    assert claimed(queue).message_id == good.message_id


def test_while_the_server_is_away_nobody_waits_to_count(spooled: SpooledBackend, server: RedisServer) -> None:
    server.stop()
    sent(spooled, a_message())
    with pytest.raises(EngineError):
        spooled.stats()
    server.go_on()
    eventually(lambda: spooled.trouble is None)
    assert stats_of(spooled).ready == 1


def test_it_is_ready_while_one_of_the_two_can_be_written(
    spooled: SpooledBackend, server: RedisServer, tmp_path: Path
) -> None:
    spooled.check(timeout_s=10)
    server.kill()
    spooled.check(timeout_s=10)
    assert spooled.trouble is not None


def test_a_spool_that_cannot_be_written_is_refused_at_start(server: RedisServer, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    spooled = SpooledBackend(RedisBackend(server.url), SQLiteBackend(tmp_path / "a file" / "spool.db"))
    with pytest.raises(EngineError):
        spooled.start(timeout_s=10)


@pytest.mark.starts_processes
def test_an_engine_that_must_not_be_relied_on_is_refused_at_start(tmp_path: Path) -> None:
    with RedisServer(tmp_path, "--appendonly", "no") as server:
        primary = RedisBackend(RedisOptions(server.url, "require"))
        spooled = SpooledBackend(primary, SQLiteBackend(tmp_path / "spool.db"))
        with pytest.raises(NotDurable):
            spooled.start(timeout_s=10)
        spooled.close()


def test_other_verbs_go_to_the_server(spooled: SpooledBackend, queue: QueueBackend) -> None:
    message = a_message()
    sent(spooled, message)
    assert spooled.get(message.message_id) == queue.get(message.message_id)
    assert stats_of(queue, QUEUE).ready == 1
