"""What the server is told of the messages that are being run."""

from __future__ import annotations

from brokers.records import Delivery
from brokers.redis import RedisBackend
from tests.support.messages import QUEUE, claimed, stored
from tests.support.redis_server import RedisServer, ask
from tests.support.waiting import eventually


def marks(server: RedisServer) -> list[bytes]:
    """All there are. One of a message that ended stays until another takes its place."""
    keys = ask(server.port, "KEYS", "*:started:*")
    return [mark for key in keys for mark in ask(server.port, "HVALS", key)]


def mark(delivery: Delivery) -> bytes:
    return f"{delivery.token}:{delivery.message_id}".encode()


def test_a_message_that_begins_again_before_it_has_ended_keeps_its_mark(
    other: RedisBackend, server: RedisServer
) -> None:
    """It was put back, and claimed once more, before the thread that had it came to say that it is done."""
    stored(other)
    first = claimed(other)
    other.started(first)
    other.retry(first, queue=QUEUE, payload=b"{}", delay_ms=0, error=None)
    again = claimed(other)
    other.started(first)  # as it was before the retry came to its end
    other.started(again)
    other.ack(first)

    stored(other)
    next_one = claimed(other)
    other.started(next_one)
    eventually(lambda: mark(next_one) in marks(server))
    assert mark(again) in marks(server)
    assert mark(first) not in marks(server), "its place was free"
