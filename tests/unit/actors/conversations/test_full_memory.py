"""When the server's memory is full nothing is taken in, but what happened is still written down."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from actors.conversations.redis import RedisConversationStore
from brokers.errors import EngineError
from tests.support.conversations import (
    CONVERSATION,
    always,
    answered,
    append,
    delivery,
    held,
    inbound,
    next_reply,
)
from tests.support.redis_server import RedisServer, ask


@contextmanager
def full(server: RedisServer) -> Iterator[None]:
    """Inside, nothing more fits into the server's memory."""
    ask(server.port, "CONFIG", "SET", "maxmemory", "1")
    try:
        yield
    finally:
        ask(server.port, "CONFIG", "SET", "maxmemory", "0")


def state_of(store: RedisConversationStore, reply_id: str) -> str:
    reply = store.reply(reply_id)
    assert reply is not None
    return reply.state


def test_nothing_is_taken_in(other: RedisConversationStore, server: RedisServer) -> None:
    message = inbound()
    append(other, inbound("first"))
    with full(server), pytest.raises(EngineError, match="maxmemory"):
        append(other, message)

    assert len(other.unanswered(CONVERSATION)) == 1
    assert append(other, message)


def test_nobody_begins_to_answer(other: RedisConversationStore, server: RedisServer) -> None:
    """Before the model is asked for an answer that could not be written."""
    append(other, inbound())
    with full(server), pytest.raises(EngineError, match="maxmemory"):
        held(other)

    assert held(other)


def test_an_answer_is_written_whole_or_not_at_all(other: RedisConversationStore, server: RedisServer) -> None:
    append(other, inbound())
    hold = held(other)
    turn = other.turn(hold, history_limit=5)
    with full(server), pytest.raises(EngineError, match="maxmemory"):
        other.answer(hold, turn, "Olá!", kind="answer")

    assert next_reply(other, CONVERSATION) is None
    assert len(other.unanswered(CONVERSATION)) == 1


def test_what_happens_to_replies_is_written_down(other: RedisConversationStore, server: RedisServer) -> None:
    sent, failed, unknown, waits = (answered(other).reply_id for _ in range(4))
    with full(server):
        for reply_id in (sent, failed, unknown, waits):
            assert other.begin_sending(reply_id)
        other.record_sent(sent, "SM1")
        assert other.record_delivery(sent, delivery("delivered"))
        other.record_not_sent(failed, "refused", final=True)
        other.record_unknown(unknown, "who knows")
        other.record_not_sent(waits, "busy", final=False)

        assert [state_of(other, each) for each in (sent, failed, unknown, waits)] == [
            *("sent", "failed", "unknown", "pending")
        ]
        assert other.is_known("SM1")


def test_a_conversation_can_be_let_go_of(other: RedisConversationStore, server: RedisServer) -> None:
    message = inbound()
    append(other, message)
    hold = held(other, "message-1")
    with full(server):
        other.quarantine(message)
        assert other.finish(hold).is_done

    assert other.hold(CONVERSATION, "message-2", is_live=always) is not None


def test_a_check_says_that_the_server_takes_nothing_more(
    other: RedisConversationStore, server: RedisServer
) -> None:
    other.check(timeout_s=20)
    with full(server), pytest.raises(EngineError, match="maxmemory"):
        other.check(timeout_s=20)
    other.check(timeout_s=20)
