"""What every store counts as used, once, and what it keeps of how an answer came about."""

from __future__ import annotations

from contextlib import closing

import pytest

from actors.answer import ToolCall, Usage
from actors.conversations import ConversationStore, HoldLost
from actors.conversations.usage import DAY_MS, SUMS_KEPT_DAYS, DayUsage, Sums, day_of
from actors.keys import ConversationKey
from actors.model_call import MAX_PROMPT_BYTES, ModelCall
from actors.reply import Reply
from tests.support.conversations import (
    ADDRESS,
    CONTACT,
    CONVERSATION,
    OpenStore,
    append,
    delivery,
    held,
    inbound,
    next_reply,
)

ELSEWHERE = "whatsapp:+5511900005678"

TODAY = 20_000

USAGE = Usage("a-model", 100, 5)

CALL = ModelCall(1_200, 77, "system:\nBe brief.", [ToolCall("price", '{"of": "corte"}', "R$ 50")])


def answer(
    store: ConversationStore,
    *bodies: str,
    usage: Usage | None = USAGE,
    call: ModelCall = CALL,
    contact: str = CONTACT,
) -> Reply:
    """Have a contact write, and answer."""
    message = inbound(contact=contact)
    append(store, message)
    hold = store.hold(message.conversation, "message-1", is_live=lambda _: True)
    assert hold is not None
    turn = store.turn(hold, history_limit=0)
    reply = store.answer(hold, turn, *(bodies or ("Olá!",)), kind="answer", usage=usage, call=call).reply
    store.finish(hold)
    return reply


def totals(store: ConversationStore) -> Sums:
    return Sums.of(row.sums for row in store.usage.days(since=0, until=10 * TODAY))


def of_contacts(store: ConversationStore) -> dict[str, Sums]:
    found = store.usage.contacts(since=0, until=10 * TODAY)
    return {ConversationKey.read(each.conversation).contact: each.sums for each in found}


WRITTEN = Sums(input_tokens=100, output_tokens=5, model_cost=77)
SENT = Sums(1, 3, 100, 5, 77, 30)


# -- counting, once ------------------------------------------------------------------------------------


def test_tokens_count_when_an_answer_is_written_and_segments_when_it_is_sent(
    store: ConversationStore,
) -> None:
    reply = answer(store)
    assert totals(store) == WRITTEN

    store.begin_sending(reply.reply_id)
    store.record_sent(reply.reply_id, "SM1", segments=3, cost=30)

    [row] = store.usage.days(since=0, until=10 * TODAY)
    assert (row.address, row.model, row.sums) == (ADDRESS, "a-model", SENT)
    assert of_contacts(store) == {CONTACT: SENT}


def test_a_reply_counts_once_whatever_is_repeated(store: ConversationStore) -> None:
    reply = answer(store)
    store.begin_sending(reply.reply_id)
    for _ in range(2):
        store.record_sent(reply.reply_id, "SM1", segments=3, cost=30)
        for status in ("queued", "sent", "delivered", "read"):
            store.record_delivery(reply.reply_id, delivery(status))

    assert totals(store) == SENT


def test_a_callback_may_come_before_the_answer_of_the_call(store: ConversationStore) -> None:
    reply = answer(store)
    store.begin_sending(reply.reply_id)
    store.record_delivery(reply.reply_id, delivery("queued"))
    assert totals(store) == WRITTEN._replace(replies=1)

    store.record_sent(reply.reply_id, "SM1", segments=3, cost=30)
    store.record_sent(reply.reply_id, "SM1", segments=3, cost=30)

    assert totals(store) == SENT


def test_an_answer_of_the_call_that_comes_late_does_not_make_a_reply_arrive(store: ConversationStore) -> None:
    reply = answer(store)
    store.begin_sending(reply.reply_id)
    store.record_delivery(reply.reply_id, delivery("undelivered", code="30008"))

    store.record_sent(reply.reply_id, "SM1", segments=3, cost=30)

    kept = store.reply(reply.reply_id)
    assert kept is not None
    assert (kept.state, kept.delivery_status) == ("undelivered", "undelivered")
    assert totals(store) == SENT


def test_a_reply_that_is_sent_again_counts_again(store: ConversationStore) -> None:
    reply = answer(store)
    store.begin_sending(reply.reply_id)
    store.record_sent(reply.reply_id, "SM1", segments=3, cost=30)
    store.record_delivery(reply.reply_id, delivery("undelivered", code="30008"))
    store.record_not_sent(reply.reply_id, "again", final=False)
    store.begin_sending(reply.reply_id)
    store.record_delivery(reply.reply_id, delivery("sent", sid="SM2"))
    store.record_sent(reply.reply_id, "SM2", segments=3, cost=30)

    assert totals(store) == SENT._replace(replies=2, segments=6, channel_cost=60)


def test_a_reply_that_arrives_after_all_counts_once(store: ConversationStore) -> None:
    reply = answer(store)
    store.begin_sending(reply.reply_id)
    store.record_sent(reply.reply_id, "SM1", segments=3, cost=30)
    store.record_delivery(reply.reply_id, delivery("undelivered", code="30008"))
    store.record_delivery(reply.reply_id, delivery("read"))

    assert totals(store) == SENT


def test_a_reply_that_a_person_knows_was_sent_counts(store: ConversationStore) -> None:
    reply = answer(store)
    store.begin_sending(reply.reply_id)
    store.record_unknown(reply.reply_id, "perhaps")
    store.decide(reply.reply_id, "sent", by="Ana")
    store.decide(reply.reply_id, "sent", by="Ana")
    store.record_delivery(reply.reply_id, delivery("read"))

    assert totals(store) == WRITTEN._replace(replies=1)


def test_each_part_of_an_answer_is_a_reply_of_its_model(store: ConversationStore) -> None:
    answer(store, "Um", "Dois")
    for sid in ("SM1", "SM2"):
        reply = next_reply(store, CONVERSATION)
        assert reply is not None
        store.begin_sending(reply.reply_id)
        store.record_sent(reply.reply_id, sid, segments=1, cost=10)

    [row] = store.usage.days(since=0, until=10 * TODAY)
    assert (row.model, row.sums) == ("a-model", Sums(2, 2, 100, 5, 77, 20))


def test_what_a_person_writes_has_no_model(store: ConversationStore) -> None:
    append(store, inbound())
    store.write(CONVERSATION, "r1", "Oi", kind="person", written_by="Ana")
    store.begin_sending("r1")
    store.record_sent("r1", "SM1", segments=1)

    [row] = store.usage.days(since=0, until=10 * TODAY)
    assert (row.model, row.sums) == ("", Sums(1, 1))


@pytest.mark.parametrize(
    ("usage", "call", "counted"),
    [
        (USAGE, ModelCall(), Sums(input_tokens=100, output_tokens=5, unpriced=1)),
        (Usage("a-model"), ModelCall(), Sums()),
        (None, ModelCall(), Sums()),
    ],
    ids=["no price", "no tokens told", "no model"],
)
def test_what_has_no_price_is_counted_without_one(
    store: ConversationStore, usage: Usage | None, call: ModelCall, counted: Sums
) -> None:
    answer(store, usage=usage, call=call)

    assert totals(store) == counted


def test_under_a_lost_hold_nothing_counts(store: ConversationStore) -> None:
    append(store, inbound())
    hold = held(store)
    turn = store.turn(hold, history_limit=0)
    assert store.hold(CONVERSATION, "message-2", is_live=lambda _: False) is not None
    with pytest.raises(HoldLost):
        store.answer(hold, turn, "Olá!", kind="answer", usage=USAGE, call=CALL)

    assert totals(store) == Sums()


# -- days and contacts ---------------------------------------------------------------------------------


def test_each_day_has_its_own_sums(open_store: OpenStore) -> None:
    now = TODAY * DAY_MS + DAY_MS - 1
    with closing(open_store(clock=lambda: now)) as store:
        answer(store)
        now += 1
        answer(store)
        answer(store, usage=Usage("a|b", 1, 1), call=ModelCall(cost=1))

        rows = store.usage.days(since=TODAY, until=TODAY + 1)
        assert rows == [
            DayUsage(TODAY, ADDRESS, "a-model", WRITTEN),
            DayUsage(TODAY + 1, ADDRESS, "a-model", WRITTEN),
            DayUsage(TODAY + 1, ADDRESS, "a|b", Sums(input_tokens=1, output_tokens=1, model_cost=1)),
        ]
        assert store.usage.days(since=TODAY, until=TODAY) == rows[:1]
        [one] = store.usage.contacts(since=TODAY + 1, until=TODAY + 1)
        assert one.sums == Sums(input_tokens=101, output_tokens=6, model_cost=78)


def test_those_who_cost_most_come_first(store: ConversationStore) -> None:
    contacts = [f"whatsapp:+551190000{number}" for number in range(1001, 1005)]
    for contact, (tokens, cost) in zip(contacts, [(5, 10), (9, 30), (7, 10), (5, 10)], strict=True):
        answer(store, usage=Usage("a-model", tokens, 0), call=ModelCall(cost=cost), contact=contact)

    in_order = [contacts[1], contacts[2], contacts[0], contacts[3]]
    assert list(of_contacts(store)) == in_order
    page = store.usage.contacts(since=0, until=10 * TODAY, limit=2, offset=1)
    assert [ConversationKey.read(each.conversation).contact for each in page] == in_order[1:3]


# -- for how long --------------------------------------------------------------------------------------


def test_the_sums_of_a_contact_are_erased_with_it_and_those_of_a_day_stay(store: ConversationStore) -> None:
    reply = answer(store)
    answer(store, contact=ELSEWHERE)

    store.keeper.erase(CONVERSATION)

    assert of_contacts(store) == {ELSEWHERE: WRITTEN}
    assert totals(store) == Sums.of([WRITTEN, WRITTEN])
    assert store.reader.model_call(reply.reply_id) is None
    store.record_sent(reply.reply_id, "SM1", segments=3, cost=30)
    assert totals(store) == Sums.of([WRITTEN, WRITTEN]), "it is gone"
    answer(store)
    assert of_contacts(store)[CONTACT] == WRITTEN, "what comes after is counted anew"


def test_the_sums_of_a_contact_are_kept_as_long_as_what_was_said(open_store: OpenStore) -> None:
    now = TODAY * DAY_MS
    with closing(open_store(clock=lambda: now, retention_s=2 * 86_400)) as store:
        answer(store)
        now += 2 * DAY_MS
        answer(store)
        assert of_contacts(store) == {CONTACT: Sums.of([WRITTEN, WRITTEN])}

        now += DAY_MS
        answer(store)
        for _ in store.keeper.delete_old():
            pass

        assert of_contacts(store) == {CONTACT: Sums.of([WRITTEN, WRITTEN])}
        kept = store.keeper.kept(CONVERSATION)
        assert kept is not None
        assert [each.day for each in kept.usage] == [TODAY + 2, TODAY + 3]
        assert totals(store) == Sums.of([WRITTEN] * 3)


def test_the_sums_of_a_day_are_kept_for_more_than_a_year(open_store: OpenStore) -> None:
    now = TODAY * DAY_MS
    with closing(open_store(clock=lambda: now)) as store:
        answer(store)
        now += SUMS_KEPT_DAYS * DAY_MS
        for _ in store.keeper.delete_old():
            pass
        assert totals(store) == WRITTEN

        now += DAY_MS
        for _ in store.keeper.delete_old():
            pass
        assert totals(store) == Sums()


# -- how an answer came about --------------------------------------------------------------------------


def test_how_an_answer_came_about_is_kept_with_its_first_reply(store: ConversationStore) -> None:
    first = answer(store, "Um", "Dois")
    second = store.reader.thread(CONVERSATION)[-1]

    kept = store.reader.model_call(first.reply_id)
    assert kept is not None
    assert (kept.model, kept.input_tokens, kept.output_tokens) == ("a-model", 100, 5)
    assert (kept.cost, kept.took_ms, kept.prompt) == (77, 1_200, CALL.prompt)
    assert list(kept.tool_calls) == list(CALL.tool_calls)
    assert second.reply_id is not None
    further = store.reader.model_call(second.reply_id)
    assert further is not None
    assert (further.model, further.took_ms, further.prompt) == ("a-model", None, "")
    assert [entry.model for entry in store.reader.thread(CONVERSATION)] == [None, "a-model", "a-model"]
    assert store.reader.model_call("nothing") is None


def test_it_is_exported(store: ConversationStore) -> None:
    reply = answer(store)
    store.begin_sending(reply.reply_id)
    store.record_sent(reply.reply_id, "SM1", segments=3, cost=30)

    kept = store.keeper.kept(CONVERSATION)

    assert kept is not None
    [exported] = kept.replies
    assert (exported.model, exported.tokens, exported.input_tokens) == ("a-model", 105, 100)
    assert (exported.segments, exported.cost, exported.took_ms) == (3, 77, 1_200)
    assert (exported.prompt, exported.tool_calls) == (CALL.prompt, CALL.kept_tool_calls)
    [used] = kept.usage
    assert used.sums == SENT


def test_of_a_long_prompt_the_middle_is_left_out(store: ConversationStore) -> None:
    prompt = "início" + "é" * MAX_PROMPT_BYTES + "fim"
    reply = answer(store, call=ModelCall(prompt=prompt))

    kept = store.reader.model_call(reply.reply_id)

    assert kept is not None
    assert len(kept.prompt.encode()) <= MAX_PROMPT_BYTES
    assert kept.prompt.startswith("inícioé")
    assert kept.prompt.endswith("éfim")
    assert "bytes are left out here" in kept.prompt


def test_texts_that_no_service_takes_can_be_kept(store: ConversationStore) -> None:
    reply = answer(
        store, call=ModelCall(prompt="a \ud83d b\x00", tool_calls=[ToolCall("f", "\ud83d", "\x00")])
    )

    kept = store.reader.model_call(reply.reply_id)
    assert kept is not None
    assert kept.prompt.startswith("a ")
    assert kept.tool_calls[0].name == "f"


# -- handing back for a reason -------------------------------------------------------------------------


@pytest.mark.parametrize(("reason", "is_handed_back"), [("the budget", True), ("another", False)])
def test_a_conversation_is_handed_back_for_the_reason_for_which_a_person_was_to_answer(
    store: ConversationStore, reason: str, is_handed_back: bool
) -> None:
    append(store, inbound())
    store.set_mode(CONVERSATION, "person", "the budget")

    assert store.hand_back(CONVERSATION, silent_since=2**53, reason=reason) is is_handed_back
    assert store.mode(CONVERSATION) == ("assistant" if is_handed_back else "person")


def test_a_day_is_of_utc() -> None:
    assert [day_of(TODAY * DAY_MS), day_of(TODAY * DAY_MS - 1)] == [TODAY, TODAY - 1]
