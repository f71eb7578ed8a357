"""What is kept of how an answer came about."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from actors.answer import Answer, ToolCall, Usage
from actors.channels import PerhapsSent
from actors.conversations.reader import KeptCall
from actors.conversations.usage import Sums
from actors.delivery_status import record_delivery_status
from actors.model_call import ModelCall
from actors.reconciling import reconcile_reply
from actors.sending import send_reply
from tests.support.conversations import CONTACT, CONVERSATION, next_reply

from .conftest import World
from .test_actors import sent, write

ANSWER = Answer("Sim", Usage("a-model", 1_000, 10), tool_calls=[ToolCall("f", "{}", "ok")], prompt="P")


def kept(world: World) -> KeptCall:
    entry = world.conversations.reader.thread(CONVERSATION)[-1]
    assert entry.reply_id is not None
    call = world.conversations.reader.model_call(entry.reply_id)
    assert call is not None
    return call


def totals(world: World) -> Sums:
    return Sums.of(row.sums for row in world.conversations.usage.days(since=0, until=1_000_000))


@pytest.mark.parametrize("keeps", [True, False])
def test_what_the_model_was_asked_is_kept_only_where_the_settings_say_so(
    make_world: Callable[..., World], keeps: bool
) -> None:
    world = make_world(ai_keep_prompts=keeps, ai_prices={"a-model": {"input": 2.0, "output": 100.0}})
    world.responder.answer = ANSWER
    write(world, "Oi")

    call = kept(world)

    assert call.prompt == ("P" if keeps else "")
    assert (call.cost, list(call.tool_calls)) == (3_000, list(ANSWER.tool_calls))
    assert call.took_ms is not None


def test_a_silent_answer_costs_as_well(make_world: Callable[..., World]) -> None:
    world = make_world(ai_prices={"a-model": {"input": 2.0, "output": 100.0}})
    world.responder.answer = Answer(usage=Usage("a-model", 1_000, 10))
    write(world, "Oi")

    assert totals(world) == Sums(input_tokens=1_000, output_tokens=10, model_cost=3_000)


def test_an_answer_without_usage_is_of_no_model(world: World) -> None:
    world.responder.answer = Answer("Sim")
    write(world, "Oi")

    [_, ours] = world.conversations.reader.thread(CONVERSATION)
    assert ours.model is None
    assert ours.reply_id is not None
    assert world.conversations.reader.model_call(ours.reply_id) is None


def callback(world: World, reply_id: str, status: str) -> None:
    payload = {"MessageSid": "SM1", "MessageStatus": status, "To": CONTACT, "From": "whatsapp:+15005550006"}
    record_delivery_status(payload, reply_id)


@pytest.mark.parametrize("comes", ["before the next run", "before the look"])
def test_segments_count_when_only_a_callback_tells_that_a_reply_was_sent(
    make_world: Callable[..., World], comes: str
) -> None:
    world = make_world(segment_prices={"whatsapp": 0.005})
    write(world, "Oi")
    reply = next_reply(world.conversations, CONVERSATION)
    assert reply is not None
    if comes == "before the look":
        world.sender.error = PerhapsSent("a timeout")
        send_reply(reply.reply_id)
    else:
        world.conversations.begin_sending(reply.reply_id)  # and the worker died in the call
    callback(world, reply.reply_id, "sent")

    for _ in range(2):
        (reconcile_reply if comes == "before the look" else send_reply)(reply.reply_id)

    assert totals(world) == Sums(replies=1, segments=1, channel_cost=5_000)
    assert sent(world) == []


def test_what_is_sent_through_the_channel_is_counted_with_its_segments(
    make_world: Callable[..., World],
) -> None:
    world = make_world(segment_prices={"whatsapp": 0.005})
    world.responder.answer = ANSWER
    write(world, "Oi")
    sent(world)

    assert totals(world) == Sums(1, 1, 1_000, 10, 0, 5_000, 1)


def test_a_call_without_anything_is_kept_as_nothing() -> None:
    assert (ModelCall().kept_prompt, ModelCall().kept_tool_calls) == ("", "")
