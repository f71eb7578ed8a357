"""The server did what it was told, and the connection broke before it could say so: it is told again."""

from __future__ import annotations

from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from actors.conversations import ConversationStore, scripts
from actors.conversations.redis import RedisConversationStore
from actors.reply import Reply, ReplyState
from brokers.errors import EngineError
from brokers.redis.client import TRIES
from brokers.redis.scripts import Script
from tests.support.conversations import (
    CONVERSATION,
    OnServer,
    always,
    answered,
    append,
    delivery,
    held,
    inbound,
    never,
    next_reply,
    waiting,
)
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer, ask


def begun(store: ConversationStore) -> str:
    """A reply that is being sent; returns its id."""
    reply = store.begin_sending(answered(store).reply_id)
    assert reply is not None
    return reply.reply_id


def found(store: ConversationStore, reply_id: str) -> Reply:
    reply = store.reply(reply_id)
    assert reply is not None
    return reply


def state_of(store: ConversationStore, reply_id: str) -> ReplyState:
    return found(store, reply_id).state


# -- what comes in -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, TRIES - 2])  # one try goes to telling the server the script
def test_who_appended_a_message_hears_so(store: RedisConversationStore, proxy: Proxy, lost: int) -> None:
    message = inbound()
    with proxy.losing_answers_to(scripts.APPEND.sha, times=lost):
        assert append(store, message)

    assert waiting(store) == [message]


def test_who_did_not_append_it_hears_that(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    message = inbound()
    append(other, message)
    with proxy.losing_answers_to(scripts.APPEND.sha):
        assert not append(store, message)


def test_a_message_that_was_answered_meanwhile_is_not_appended_again(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    with proxy.losing_answers_to(scripts.APPEND.sha, meanwhile=lambda: answered(other, "dois")):
        assert append(store, inbound("um"))

    assert waiting(store) == []
    assert [entry.text for entry in store.reader.thread(CONVERSATION)] == ["um", "dois", "Olá!"]


def test_an_append_without_an_answer_is_told_and_can_be_tried_again(
    store: RedisConversationStore, proxy: Proxy
) -> None:
    message = inbound()
    with proxy.losing_answers_to(scripts.APPEND.sha, times=TRIES), pytest.raises(EngineError):
        append(store, message)

    assert not append(store, message), "it is there"


@pytest.mark.parametrize("script", [scripts.APPEND, scripts.ANSWER, scripts.RECORD_SENT])
def test_whoever_repeats_waits_for_the_file(
    store: RedisConversationStore, place: OnServer, proxy: Proxy, script: Script
) -> None:
    """A connection that wrote nothing has nothing to wait for, so every repetition writes something."""
    repeated = f"{{{place.namespace}}}:repeated"
    store.record_sent(begun(store), "SM1")  # the server knows the scripts now
    ask(place.port, "DEL", repeated)
    store.record_sent(begun(store), "SM2")
    assert not ask(place.port, "EXISTS", repeated)

    with proxy.losing_answers_to(script.sha):
        store.record_sent(begun(store), "SM3")

    assert ask(place.port, "EXISTS", repeated)


# -- answering -----------------------------------------------------------------------------------------


def test_who_holds_hears_so(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    append(store, inbound())
    with proxy.losing_answers_to(scripts.HOLD.sha):
        hold = held(store, "message-1")

    assert other.hold(CONVERSATION, "message-2", is_live=always) is None
    store.answer(hold, store.turn(hold, history_limit=0), "Olá!", kind="answer")


def test_who_took_over_hears_so(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    append(store, inbound())
    held(other, "message-1")
    with ExitStack() as stack:

        def is_live(_holder: str) -> bool:
            stack.enter_context(proxy.losing_answers_to(scripts.HOLD.sha))
            return False

        hold = store.hold(CONVERSATION, "message-2", is_live=is_live)

    assert hold is not None
    assert not store.finish(hold).is_done


@pytest.mark.parametrize("lost", [1, TRIES - 2])
def test_an_answer_is_written_once(store: RedisConversationStore, proxy: Proxy, lost: int) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    turn = store.turn(hold, history_limit=0)
    with proxy.losing_answers_to(scripts.ANSWER.sha, times=lost):
        reply = store.answer(hold, turn, "Olá!", kind="answer").reply

    assert [entry.text for entry in store.reader.thread(CONVERSATION)] == ["Oi", "Olá!"]
    assert next_reply(store, CONVERSATION) == reply


def test_an_answer_is_written_though_the_hold_is_lost_by_then(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    turn = store.turn(hold, history_limit=0)

    def take_over() -> None:
        assert other.hold(CONVERSATION, "message-2", is_live=never)

    with proxy.losing_answers_to(scripts.ANSWER.sha, meanwhile=take_over):
        reply = store.answer(hold, turn, "Olá!", kind="answer").reply

    assert next_reply(other, CONVERSATION) == reply
    assert waiting(other) == []


def test_who_let_go_does_not_take_the_next_ones_hold_away(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    answered(store)
    hold = held(store, "message-1")

    def hold_next() -> None:
        append(other, inbound())
        held(other, "message-2")

    with proxy.losing_answers_to(scripts.FINISH.sha, meanwhile=hold_next):
        assert store.finish(hold).is_done

    assert store.hold(CONVERSATION, "message-3", is_live=always) is None


# -- sending -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", [1, TRIES - 2])
def test_who_began_to_send_hears_so(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy, lost: int
) -> None:
    reply_id = answered(store).reply_id
    with proxy.losing_answers_to(scripts.BEGIN_SENDING.sha, times=lost):
        reply = store.begin_sending(reply_id)

    assert reply is not None
    assert reply.state == "sending"
    assert other.begin_sending(reply_id) is None


def test_who_did_not_begin_to_send_hears_that(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    reply_id = begun(other)
    with proxy.losing_answers_to(scripts.BEGIN_SENDING.sha):
        assert store.begin_sending(reply_id) is None


def test_a_reply_about_which_others_decided_meanwhile_is_not_sent(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    reply_id = answered(store).reply_id

    def reconcile_and_send() -> None:
        other.record_unknown(reply_id, "who knows")
        other.record_not_sent(reply_id, "not found", final=False)
        assert other.begin_sending(reply_id)

    with proxy.losing_answers_to(scripts.BEGIN_SENDING.sha, meanwhile=reconcile_and_send):
        assert store.begin_sending(reply_id) is None


def test_what_is_sent_again_meanwhile_is_not_said_to_be_unsent(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    reply_id = begun(store)

    def send_again() -> None:
        assert other.begin_sending(reply_id)

    with proxy.losing_answers_to(scripts.RECORD_FAILURE.sha, meanwhile=send_again):
        store.record_not_sent(reply_id, "busy", final=False)

    assert state_of(other, reply_id) == "sending", "a third would send it again otherwise"


def test_what_is_sent_again_meanwhile_is_not_said_to_be_unknown(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    reply_id = begun(store)

    def send_again() -> None:
        other.record_not_sent(reply_id, "not found", final=False)
        assert other.begin_sending(reply_id)

    with proxy.losing_answers_to(scripts.RECORD_FAILURE.sha, meanwhile=send_again):
        store.record_unknown(reply_id, "who knows")

    assert state_of(other, reply_id) == "sending"


def test_a_reply_is_sent_under_the_first_sid(
    store: RedisConversationStore, other: RedisConversationStore, proxy: Proxy
) -> None:
    reply_id = begun(store)
    with proxy.losing_answers_to(scripts.RECORD_SENT.sha):
        store.record_sent(reply_id, "SM1")

    assert found(other, reply_id).external_id == "SM1"


def test_a_delivery_that_moved_forward_is_said_to(store: RedisConversationStore, proxy: Proxy) -> None:
    reply_id = begun(store)
    with proxy.losing_answers_to(scripts.RECORD_DELIVERY.sha):
        assert store.record_delivery(reply_id, delivery("delivered"))
    with proxy.losing_answers_to(scripts.RECORD_DELIVERY.sha):
        assert not store.record_delivery(reply_id, delivery("sent"))


# -- the server forgets, or dies -----------------------------------------------------------------------


def test_all_goes_on_when_the_scripts_are_forgotten(
    store: RedisConversationStore, server: RedisServer
) -> None:
    append(store, inbound("Oi"))
    ask(server.port, "SCRIPT", "FLUSH", "SYNC")
    hold = held(store)
    turn = store.turn(hold, history_limit=5)
    ask(server.port, "SCRIPT", "FLUSH", "SYNC")
    reply = store.answer(hold, turn, "Olá!", kind="answer").reply
    ask(server.port, "SCRIPT", "FLUSH", "SYNC")
    assert store.begin_sending(reply.reply_id)
    store.record_sent(reply.reply_id, "SM1")

    assert state_of(store, reply.reply_id) == "sent"


@pytest.mark.starts_processes
def test_all_goes_on_when_the_server_was_killed(tmp_path: Path) -> None:
    with RedisServer(tmp_path) as server, closing(OnServer(server.port, "recado")()) as store:
        reply_id = begun(store)
        append(store, inbound("Alô?"))
        hold = held(store)
        turn = store.turn(hold, history_limit=5)

        server.kill()
        server.start()

        store.record_sent(reply_id, "SM1")
        reply = store.answer(hold, turn, "Sim?", kind="answer").reply
        assert [entry.text for entry in store.reader.thread(CONVERSATION)] == ["Oi", "Olá!", "Alô?", "Sim?"]
        assert next_reply(store, CONVERSATION) == reply
        assert store.finish(hold).is_done


@pytest.mark.starts_processes
def test_an_answer_is_written_once_when_the_server_is_killed_before_it_says_so(tmp_path: Path) -> None:
    with (
        RedisServer(tmp_path) as server,
        Proxy(server.port) as proxy,
        closing(OnServer(proxy.port, "recado")()) as store,
    ):
        append(store, inbound("Oi"))
        hold = held(store)
        turn = store.turn(hold, history_limit=0)

        def restart() -> None:
            server.kill()
            server.start()

        with proxy.losing_answers_to(scripts.ANSWER.sha, meanwhile=restart):
            store.answer(hold, turn, "Olá!", kind="answer")

        assert [entry.text for entry in store.reader.thread(CONVERSATION)] == ["Oi", "Olá!"]


@pytest.mark.parametrize("lost", [1, TRIES - 2])
def test_who_deleted_a_note_hears_so(store: RedisConversationStore, proxy: Proxy, lost: int) -> None:
    append(store, inbound())
    store.add_note(CONVERSATION, "n1", "Prefere falar à tarde.", by="Ana")
    assert not store.delete_note(CONVERSATION, "n2"), "the server knows the script now, or is told it again"
    with proxy.losing_answers_to(scripts.DELETE_NOTE.sha, times=lost):
        assert store.delete_note(CONVERSATION, "n1")
    with proxy.losing_answers_to(scripts.DELETE_NOTE.sha, times=lost):
        assert not store.delete_note(CONVERSATION, "n1")
