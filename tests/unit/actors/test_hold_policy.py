"""Where no message can be looked up, time has to tell, and every actor bears being run twice."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from dramatiq.errors import Retry

from actors.channels import InboundMessage
from actors.conversations import HoldLost
from actors.delivery_status import record_delivery_status
from actors.hold_policy import ExpiringPolicy
from actors.reconciling import reconcile_reply
from actors.replies import process_ai_response
from actors.reply import Reply
from actors.sending import give_up_on_reply, send_reply
from api.webhooks import inbound_message
from brokers.clock import now_ms
from tests.support.conversations import CONVERSATION, answered, append, inbound

from .conftest import World

#: How long a hold lasts in these tests, in milliseconds.
LONGEST_RUN_MS = 60_000


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def policy(clock: Clock) -> ExpiringPolicy:
    return ExpiringPolicy(longest_run_ms=LONGEST_RUN_MS, clock=clock)


@pytest.fixture
def world(make_world: Callable[..., World], policy: ExpiringPolicy) -> World:
    return make_world(policy=policy)


def enqueue(world: World, text: str) -> InboundMessage:
    """A contact writes."""
    written = inbound(text)
    world.services.broker.enqueue(inbound_message(dict(written.payload)))
    return written


def state_of(world: World, reply: Reply) -> str:
    now = world.conversations.reply(reply.reply_id)
    assert now is not None
    return now.state


# -- who holds -----------------------------------------------------------------------------------------


def test_a_hold_is_void_when_its_time_is_over(policy: ExpiringPolicy, clock: Clock) -> None:
    holder = policy.holder("a-message")

    assert policy.holder_is_alive(holder, asked_by="another")
    clock.ahead_ms = LONGEST_RUN_MS + 1
    assert not policy.holder_is_alive(holder, asked_by="another")


def test_a_hold_of_its_own_does_not_keep_a_message_waiting(policy: ExpiringPolicy) -> None:
    assert not policy.holder_is_alive(policy.holder("a-message"), asked_by="a-message")


def test_a_hold_from_before_sqs_is_void(policy: ExpiringPolicy) -> None:
    assert not policy.holder_is_alive("a-message", asked_by="another")


def test_a_message_that_finds_its_conversation_held_comes_back(world: World, policy: ExpiringPolicy) -> None:
    """It counts on nobody: whoever holds may be dead, and nobody could tell."""
    other = inbound("Oi")
    append(world.conversations, other)
    holder = policy.holder("another")
    hold = world.conversations.hold(CONVERSATION, holder, is_live=lambda _: True)
    assert hold is not None
    mine = enqueue(world, "Alô?")

    world.run_next()
    assert world.state_of(mine.message_id) == "delayed"
    assert world.responder.asked == []


def test_a_message_whose_holder_died_answers_for_both(
    world: World, policy: ExpiringPolicy, clock: Clock
) -> None:
    append(world.conversations, inbound("Oi"))
    assert world.conversations.hold(CONVERSATION, policy.holder("a-dead-one"), is_live=lambda _: True)
    clock.ahead_ms = LONGEST_RUN_MS + 1
    mine = enqueue(world, "Alô?")

    assert world.run_next() == mine.message_id

    assert world.responder.asked == [["Oi", "Alô?"]]


def test_a_message_that_was_answered_meanwhile_waits_for_nobody(world: World, policy: ExpiringPolicy) -> None:
    mine = enqueue(world, "Oi")
    append(world.conversations, mine)
    reply = answered(world.conversations)
    assert world.conversations.hold(CONVERSATION, policy.holder("another"), is_live=lambda _: True)

    world.run_next()

    assert world.state_of(mine.message_id) is None
    assert world.enqueued == ["send_reply"], "whoever wrote the reply may have died before it was enqueued"
    assert state_of(world, reply) == "pending"


def test_a_message_that_lost_its_hold_comes_back(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever took it may die as well."""

    def lose(*_: object, **__: object) -> Reply:
        raise HoldLost(CONVERSATION)

    mine = enqueue(world, "Oi")
    monkeypatch.setattr(world.conversations, "answer", lose)

    world.run_next()

    assert world.state_of(mine.message_id) == "delayed"


def test_a_message_that_came_back_gathers_no_more(
    make_world: Callable[..., World], policy: ExpiringPolicy, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.snooze.SNOOZE_MS", 0)
    world = make_world(policy=policy, reply_gather_ms=60_000)
    enqueue(world, "Oi")
    append(world.conversations, inbound("Oi"))
    assert world.conversations.hold(CONVERSATION, policy.holder("another"), is_live=lambda _: True)
    world.run_next()
    clock.ahead_ms = LONGEST_RUN_MS + 1

    world.run_next()

    assert len(world.responder.asked) == 1


# -- the same message, twice ---------------------------------------------------------------------------


def test_a_message_delivered_twice_at_once_is_answered_once(world: World) -> None:
    """The second delivery takes the hold over; the first writes nothing."""
    message = inbound("Oi")

    def deliver_again() -> None:
        world.responder.meanwhile = lambda: None
        process_ai_response(dict(message.payload))

    world.responder.meanwhile = deliver_again

    with pytest.raises(Retry, match="taken over"):  # as an actor called directly comes back
        process_ai_response(dict(message.payload))

    replies = [entry for entry in world.conversations.reader.thread(CONVERSATION) if entry.author == "us"]
    assert len(replies) == 1


def test_a_reply_that_is_just_being_sent_is_not_called_unknown(world: World, clock: Clock) -> None:
    reply = answered(world.conversations)
    world.conversations.begin_sending(reply.reply_id)

    with pytest.raises(Retry, match="just being sent"):
        send_reply(reply.reply_id)
    assert (state_of(world, reply), world.enqueued) == ("sending", [])

    clock.ahead_ms = 60_000  # longer than any call to Twilio
    send_reply(reply.reply_id)
    assert (state_of(world, reply), world.enqueued) == ("unknown", ["reconcile_reply"])


def test_every_other_actor_run_twice_does_what_it_does_once(world: World) -> None:
    reply = answered(world.conversations)
    for _ in range(2):
        send_reply(reply.reply_id)
        reconcile_reply(reply.reply_id)
        give_up_on_reply({"args": [reply.reply_id]}, {})
        record_delivery_status({"MessageSid": "SM1", "MessageStatus": "delivered"}, reply.reply_id)

    assert world.sender.sent == [reply.body]
    now = world.conversations.reply(reply.reply_id)
    assert now is not None
    assert (now.state, now.delivery_status) == ("sent", "delivered")
