"""What every conversation store promises."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing

import pytest

from actors.answer import Usage
from actors.channels.twilio.inbound import read
from actors.conversation import decoded
from actors.conversations import ConversationStore, Hold, HoldLost, Rest
from actors.reply import REPLY_STATES, ReplyState
from tests.support.conversations import (
    CONVERSATION,
    OpenStore,
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


def unanswered(store: ConversationStore, hold: Hold) -> list[str]:
    return [line.text for line in store.turn(hold, history_limit=20).unanswered]


# -- what comes in -------------------------------------------------------------------------------------


def test_a_message_is_appended_once(store: ConversationStore) -> None:
    message = inbound("Oi")

    assert append(store, message)
    assert not append(store, message)

    assert unanswered(store, held(store)) == ["Oi"]


def test_the_same_sid_in_another_account_is_another_message(store: ConversationStore) -> None:
    message = inbound("Oi")
    theirs = read({**message.payload, "AccountSid": "AC" + "9" * 32})

    assert append(store, message)
    assert append(store, theirs)


def test_a_message_is_appended_once_by_many_at_once(open_store: OpenStore) -> None:
    message = inbound("Oi")
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(open_store())) for _ in range(4)]
        with ThreadPoolExecutor(max_workers=16) as pool:
            appended = list(pool.map(lambda n: append(stores[n % 4], message), range(32)))

    assert appended.count(True) == 1


def test_what_was_appended_is_there_for_others(open_store: OpenStore) -> None:
    with closing(open_store()) as one, closing(open_store()) as another:
        append(one, inbound("Oi\x00 👋"))

        assert unanswered(another, held(another)) == ["Oi\x00 👋"]


def test_what_was_said_can_be_put_in_other_words(store: ConversationStore) -> None:
    message, other = inbound("[voice note: audio/ogg]"), inbound("Oi")
    append(store, message)
    append(store, other)

    store.describe(message.message_id, '[voice note: "quero dois \x00 👋"]')

    hold = held(store)
    assert unanswered(store, hold) == ['[voice note: "quero dois \x00 👋"]', "Oi"]
    store.answer(hold, store.turn(hold, history_limit=0), "A", kind="answer")
    store.describe(other.message_id, "Alô")
    assert [line.text for line in store.turn(hold, history_limit=20).history] == [
        '[voice note: "quero dois \x00 👋"]',
        "Alô",
        "A",
    ]
    assert [entry.text for entry in store.reader.thread(CONVERSATION)][-1] == "A"


def test_a_message_that_is_not_there_is_not_put_in_other_words(store: ConversationStore) -> None:
    message = inbound("Oi")
    store.describe(message.message_id, "Alô")

    assert append(store, message)
    assert unanswered(store, held(store)) == ["Oi"]


def test_what_came_with_messages_is_kept(store: ConversationStore) -> None:
    first, second, unknown = inbound("um"), inbound("dois\x00 👋"), inbound("três")
    append(store, first)
    append(store, second)

    names = [second.message_id, unknown.message_id, first.message_id, "nonsense"]
    found = store.reader.payloads(names)

    assert {name: decoded(payload) for name, payload in found.items()} == {
        first.message_id: first.payload,
        second.message_id: second.payload,
    }
    assert store.reader.payloads([]) == {}


def test_messages_are_answered_in_the_order_their_webhooks_came_in(store: ConversationStore) -> None:
    """Workers may get to them in another: a retry, or a second thread."""
    first, second = inbound("um"), inbound("dois")
    store.append(second, received_at=2_000)
    store.append(first, received_at=1_000)

    hold = held(store)
    assert unanswered(store, hold) == ["um", "dois"]
    reply = store.answer(hold, store.turn(hold, history_limit=0), "A", kind="answer").reply

    assert reply.received_at == 1_000, "the contact waits since then"
    assert [line.text for line in store.turn(hold, history_limit=20).history] == ["um", "dois", "A"]
    assert [entry.text for entry in store.reader.thread(CONVERSATION)] == ["um", "dois", "A"]


def test_a_repetition_does_not_change_when_a_message_came_in(store: ConversationStore) -> None:
    first, second = inbound("um"), inbound("dois")
    store.append(first, received_at=1_000)
    store.append(second, received_at=2_000)

    store.append(first, received_at=3_000)

    assert unanswered(store, held(store)) == ["um", "dois"]


def test_what_is_unanswered_can_be_enqueued_again(store: ConversationStore) -> None:
    """With everything Twilio sent, under the ids it had."""
    messages = [inbound("um"), inbound("dois")]
    for message in messages:
        append(store, message)

    assert waiting(store) == messages
    assert [dict(message.payload) for message in waiting(store)] == [
        dict(message.payload) for message in messages
    ]
    answered(store)
    assert waiting(store) == []


# -- setting aside -------------------------------------------------------------------------------------


def test_what_is_set_aside_is_in_no_turn_until_it_is_taken_up(store: ConversationStore) -> None:
    spoilt, good = inbound("um"), inbound("dois")
    append(store, spoilt)
    append(store, good)

    store.quarantine(spoilt)
    assert waiting(store) == [good]
    assert unanswered(store, held(store)) == ["dois"]

    store.restore(spoilt)
    assert unanswered(store, held(store)) == ["um", "dois"]


def test_what_is_set_aside_keeps_nobody_from_letting_go(store: ConversationStore) -> None:
    message = inbound()
    append(store, message)
    hold = held(store)
    assert not store.finish(hold).is_done

    store.quarantine(message)

    assert store.finish(hold).is_done


def test_a_message_is_appended_and_the_conversation_held_in_one_step(store: ConversationStore) -> None:
    is_new, hold = store.append_and_hold(inbound("Oi", sid="SM1"), received_at=1, holder="message-1")
    assert is_new
    assert hold is not None
    assert [each.text for each in store.turn(hold, history_limit=0).unanswered] == ["Oi"]

    is_new, again = store.append_and_hold(inbound("Oi", sid="SM1"), received_at=2, holder="message-1")
    assert not is_new
    assert again is not None
    assert again.fence > hold.fence, "it may hold again what it held before it crashed"

    is_new, other = store.append_and_hold(inbound("Alô?", sid="SM2"), received_at=3, holder="message-2")
    assert is_new
    assert other is None


def test_an_answer_lets_go_when_nothing_else_waits(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    hold = held(store, "message-1")
    turn = store.turn(hold, history_limit=0)
    append(store, inbound("Alô?"))

    first = store.answer(hold, turn, "Olá!", kind="answer", finish=True)
    assert first.rest == Rest(is_done=False, to_send=first.reply.reply_id)
    second = store.answer(hold, store.turn(hold, history_limit=0), "Sim?", kind="answer", finish=True)
    assert second.rest == Rest(is_done=True, to_send=first.reply.reply_id), "they are sent in order"
    held(store, "message-2")


def test_what_was_sent_names_the_next_to_send(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    written = store.answer(
        hold, store.turn(hold, history_limit=0), "Olá!", "Tudo bem?", kind="answer", finish=True
    )
    assert written.rest is not None
    store.begin_sending(written.reply.reply_id)
    assert store.next_to_send(CONVERSATION) is None, "the one before is being sent"

    second = store.record_sent(written.reply.reply_id, "SM1")
    assert second == store.next_to_send(CONVERSATION)
    assert second is not None
    store.begin_sending(second)
    assert store.record_sent(second, "SM2") is None


def test_what_is_set_aside_stays_so_when_its_webhook_is_repeated(store: ConversationStore) -> None:
    message = inbound()
    append(store, message)
    store.quarantine(message)

    assert not append(store, message)

    assert waiting(store) == []


def test_setting_aside_what_was_never_appended_does_no_harm(store: ConversationStore) -> None:
    message = inbound()

    store.quarantine(message)
    append(store, message)

    assert waiting(store) == [message]


# -- holding -------------------------------------------------------------------------------------------


def test_a_conversation_nobody_wrote_in_cannot_be_held(store: ConversationStore) -> None:
    assert store.hold(CONVERSATION, "message-1", is_live=always) is None


def test_one_of_many_holds(open_store: OpenStore) -> None:
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(open_store())) for _ in range(4)]
        append(stores[0], inbound())

        def take(number: int) -> Hold | None:
            return stores[number % 4].hold(CONVERSATION, f"message-{number}", is_live=always)

        with ThreadPoolExecutor(max_workers=16) as pool:
            holds = list(pool.map(take, range(32)))

    assert len([hold for hold in holds if hold is not None]) == 1


def test_a_holder_may_hold_again_what_it_held_before_it_crashed(store: ConversationStore) -> None:
    append(store, inbound())
    before = held(store, "message-1")

    again = store.hold(CONVERSATION, "message-1", is_live=always)

    assert again is not None
    assert again.fence > before.fence


def test_the_hold_of_a_holder_that_is_not_live_is_void(store: ConversationStore) -> None:
    append(store, inbound())
    held(store, "message-1")
    asked = []

    def is_live(holder: str) -> bool:
        asked.append(holder)
        return False

    assert store.hold(CONVERSATION, "message-2", is_live=is_live) is not None
    assert asked == ["message-1"]


def test_a_released_conversation_can_be_held(store: ConversationStore) -> None:
    append(store, inbound())
    store.release(held(store, "message-1"))

    assert store.hold(CONVERSATION, "message-2", is_live=always) is not None


def test_whoever_lost_its_hold_cannot_release_the_next_ones(store: ConversationStore) -> None:
    append(store, inbound())
    lost = held(store, "message-1")
    store.hold(CONVERSATION, "message-2", is_live=never)

    store.release(lost)
    assert store.finish(lost).is_done, "it is let go of already"
    assert store.hold(CONVERSATION, "message-3", is_live=always) is None


def test_a_conversation_is_not_let_go_of_while_something_is_unanswered(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    turn = store.turn(hold, history_limit=20)
    append(store, inbound("Alô?"))
    store.answer(hold, turn, "Olá!", kind="answer")

    assert not store.finish(hold).is_done

    assert unanswered(store, hold) == ["Alô?"], "what came in since is not answered by it"
    store.answer(hold, store.turn(hold, history_limit=20), "Sim?", kind="answer")
    assert store.finish(hold).is_done


def test_nothing_is_left_between_a_release_and_an_append(open_store: OpenStore) -> None:
    """Whatever the order: either the holder sees the message, or whoever appended it gets the hold."""
    with closing(open_store()) as ours, closing(open_store()) as theirs:

        def appended_and_held() -> bool:
            append(theirs, inbound())
            hold = theirs.hold(CONVERSATION, "message-2", is_live=always)
            if hold is not None:
                theirs.release(hold)
            return hold is not None

        for _ in range(25):
            answered(ours)
            hold = held(ours, "message-1")
            with ThreadPoolExecutor(max_workers=1) as pool:
                other = pool.submit(appended_and_held)
                saw_more = not ours.finish(hold).is_done
            assert saw_more or other.result()
            hold = hold if saw_more else held(ours, "message-1")
            ours.answer(hold, ours.turn(hold, history_limit=0), "Olá!", kind="answer")
            ours.finish(hold)


# -- answering -----------------------------------------------------------------------------------------


def test_one_reply_answers_a_burst(store: ConversationStore) -> None:
    reply = answered(store, "um", "dois", "três", body="Olá!")

    assert (reply.body, reply.state, reply.kind) == ("Olá!", "pending", "answer")
    assert unanswered(store, held(store)) == []


def test_a_reply_says_what_was_written(store: ConversationStore) -> None:
    text = "Olá\x00 👋 \u202e\ud7ff\uffff\U0010ffff\r\n"

    assert answered(store, text, body=text).body == text
    assert [entry.text for entry in store.reader.thread(CONVERSATION)] == [text, text]


def test_a_reply_answers_what_its_turn_showed_and_nothing_else(store: ConversationStore) -> None:
    """Not even what came in before that, and was appended after it."""
    store.append(inbound("dois"), received_at=2_000)
    hold = held(store)
    turn = store.turn(hold, history_limit=20)
    store.append(inbound("um"), received_at=1_000)

    store.answer(hold, turn, "A", kind="answer")

    assert unanswered(store, hold) == ["um"]


def test_history_is_what_was_said_in_order(store: ConversationStore) -> None:
    answered(store, "um", "dois", body="A")
    answered(store, "três", body="B")
    append(store, inbound("quatro"))

    turn = store.turn(held(store), history_limit=20)

    said = [("contact", "um"), ("contact", "dois"), ("us", "A"), ("contact", "três"), ("us", "B")]
    assert [(utterance.author, utterance.text) for utterance in turn.history] == said
    assert [(utterance.author, utterance.text) for utterance in turn.unanswered] == [("contact", "quatro")]


def test_history_stands_where_it_was_answered(store: ConversationStore) -> None:
    """What came in while an answer was written was said before it, and is answered after it."""
    append(store, inbound("um"))
    hold = held(store)
    turn = store.turn(hold, history_limit=20)
    append(store, inbound("dois"))
    store.answer(hold, turn, "A", kind="answer")
    store.answer(hold, store.turn(hold, history_limit=20), "B", kind="answer")

    history = store.turn(hold, history_limit=20).history

    assert [line.text for line in history] == ["um", "A", "dois", "B"]


@pytest.mark.parametrize(("limit", "said"), [(0, []), (1, ["B"]), (3, ["A", "dois", "B"])])
def test_history_is_the_latest_within_the_limit(
    store: ConversationStore, limit: int, said: list[str]
) -> None:
    answered(store, "um", body="A")
    answered(store, "dois", body="B")

    turn = store.turn(held(store), history_limit=limit)

    assert [line.text for line in turn.history] == said


def test_an_answer_under_a_lost_hold_is_not_written(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    lost = held(store, "message-1")
    turn = store.turn(lost, history_limit=20)
    taken = store.hold(CONVERSATION, "message-2", is_live=never)
    assert taken is not None

    with pytest.raises(HoldLost):
        store.answer(lost, turn, "Olá!", kind="answer")

    assert unanswered(store, taken) == ["Oi"]
    assert next_reply(store, CONVERSATION) is None


def test_an_answer_after_a_release_is_not_written(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    turn = store.turn(hold, history_limit=20)
    store.release(hold)

    with pytest.raises(HoldLost):
        store.answer(hold, turn, "Olá!", kind="answer")


# -- sending -------------------------------------------------------------------------------------------


def test_replies_are_sent_in_the_order_they_were_written(store: ConversationStore) -> None:
    ids = [answered(store, body=body).reply_id for body in "AB"]
    first, second = (store.reply(reply_id) for reply_id in ids)
    assert first is not None

    assert next_reply(store, CONVERSATION) == first
    store.begin_sending(first.reply_id)
    assert next_reply(store, CONVERSATION) is None, "the one before is being sent"
    store.record_sent(first.reply_id, "SM1")
    assert next_reply(store, CONVERSATION) == second


@pytest.mark.parametrize("how", ["failed", "unknown"])
def test_a_reply_that_is_not_sent_does_not_hold_up_the_next(store: ConversationStore, how: str) -> None:
    first, second = answered(store, body="A"), answered(store, body="B")
    store.begin_sending(first.reply_id)
    if how == "failed":
        store.record_not_sent(first.reply_id, "no", final=True)
    else:
        store.record_unknown(first.reply_id, "who knows")

    assert next_reply(store, CONVERSATION) == second


def test_sending_begins_once(open_store: OpenStore) -> None:
    with ExitStack() as stack:
        stores = [stack.enter_context(closing(open_store())) for _ in range(4)]
        reply = answered(stores[0])
        with ThreadPoolExecutor(max_workers=16) as pool:
            begun = list(pool.map(lambda n: stores[n % 4].begin_sending(reply.reply_id), range(32)))

    [one] = [reply for reply in begun if reply is not None]
    assert one.state == "sending"
    assert one.sending_at is not None


def state_of(store: ConversationStore, reply_id: str) -> str:
    reply = store.reply(reply_id)
    assert reply is not None
    return reply.state


def test_a_reply_not_sent_yet_can_be_sent(store: ConversationStore) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_not_sent(reply_id, "busy", final=False)

    assert state_of(store, reply_id) == "pending"
    assert store.begin_sending(reply_id) is not None


def test_an_error_is_forgotten_when_the_reply_is_sent_again(store: ConversationStore) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_not_sent(reply_id, "busy", final=False)
    before = store.reply(reply_id)
    begun = store.begin_sending(reply_id)

    assert before is not None
    assert begun is not None
    assert (before.error, begun.error) == ("busy", None)


def test_a_failed_reply_can_be_sent_when_its_dead_letter_is_replayed(store: ConversationStore) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_not_sent(reply_id, "refused", final=True)

    assert state_of(store, reply_id) == "failed"
    assert store.begin_sending(reply_id) is not None


@pytest.mark.parametrize("state", ["sending", "sent", "unknown"])
def test_what_was_or_may_have_been_sent_is_not_sent_again(store: ConversationStore, state: str) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    if state == "sent":
        store.record_sent(reply_id, "SM1")
    if state == "unknown":
        store.record_unknown(reply_id, "who knows")

    assert store.begin_sending(reply_id) is None
    assert state_of(store, reply_id) == state


def test_a_sent_reply_stays_sent(store: ConversationStore) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_sent(reply_id, "SM1")

    store.record_unknown(reply_id, "late")
    store.record_not_sent(reply_id, "late", final=True)
    store.record_sent(reply_id, "SM2")

    reply = store.reply(reply_id)
    assert reply is not None
    assert (reply.state, reply.external_id, reply.error) == ("sent", "SM1", None)
    assert store.is_known("SM1")
    assert not store.is_known("SM2")


# -- delivery ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (["queued", "sent", "delivered", "read"], "read"),
        (["delivered", "sent"], "delivered"),
        (["read", "delivered", "sending"], "read"),
        (["undelivered", "delivered"], "undelivered"),
        (["something new"], "something new"),
        (["sent", "something new"], "sent"),
        (["something new", "sent"], "sent"),
    ],
)
def test_a_delivery_moves_forward_only(store: ConversationStore, said: list[str], kept: str) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    store.record_sent(reply_id, "SM1")

    for status in said:
        store.record_delivery(reply_id, delivery(status))

    reply = store.reply(reply_id)
    assert reply is not None
    assert reply.delivery_status == kept


@pytest.mark.parametrize("state", ["sending", "unknown"])
def test_a_status_proves_that_a_reply_was_sent(store: ConversationStore, state: str) -> None:
    reply_id = answered(store).reply_id
    store.begin_sending(reply_id)
    if state == "unknown":
        store.record_unknown(reply_id, "who knows")

    assert store.record_delivery(reply_id, delivery("queued"))

    reply = store.reply(reply_id)
    assert reply is not None
    assert (reply.state, reply.external_id) == ("sent", "SM1")


def test_a_status_of_a_reply_that_does_not_exist_changes_nothing(store: ConversationStore) -> None:
    assert not store.record_delivery("nothing", delivery("sent"))
    assert not store.is_known("SM1")


def test_a_reply_knows_whom_it_is_for(store: ConversationStore) -> None:
    message = inbound()
    reply = answered(store)

    assert (reply.contact, reply.address) == (message.contact.address, message.address)
    assert reply.account == message.account
    assert reply == store.reply(reply.reply_id)


def test_a_store_that_works_proves_it(store: ConversationStore) -> None:
    store.check(timeout_s=20)
    answered(store)
    store.check(timeout_s=20)


def test_an_attempt_that_made_no_call_can_be_taken_over_once(store: ConversationStore) -> None:
    """The store did not answer, and had marked the reply all the same."""
    reply = answered(store)
    assert store.begin_sending(reply.reply_id, attempt=1) is not None
    assert store.begin_sending(reply.reply_id, attempt=2) is None, "perhaps a call was made under the first"

    taken_over = store.begin_sending(reply.reply_id, attempt=3, void=[5, 1])
    assert taken_over is not None
    assert taken_over.state == "sending"
    assert store.begin_sending(reply.reply_id, attempt=4, void=[5, 1]) is None, "perhaps under the third"


def test_a_void_attempt_that_left_no_mark_is_no_hindrance(store: ConversationStore) -> None:
    reply = answered(store)
    assert store.begin_sending(reply.reply_id, attempt=2, void=[5, 1]) is not None


def test_a_void_attempt_opens_no_other_state(store: ConversationStore) -> None:
    reply = answered(store)
    store.begin_sending(reply.reply_id, attempt=1)
    store.record_unknown(reply.reply_id, "no answer")
    assert store.begin_sending(reply.reply_id, attempt=2, void=[5, 1]) is None


# -- answers -------------------------------------------------------------------------------------------


def test_several_texts_are_sent_in_order_and_answer_together(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    first = store.answer(hold, store.turn(hold, history_limit=20), "um", "dois", "três", kind="answer").reply

    sent: list[str] = []
    while (reply := next_reply(store, CONVERSATION)) is not None:
        store.begin_sending(reply.reply_id)
        assert next_reply(store, CONVERSATION) is None, "each waits for the one before"
        store.record_sent(reply.reply_id, f"SM{len(sent)}")
        sent.append(reply.body)

    assert sent == ["um", "dois", "três"]
    assert first.body == "um"
    assert waiting(store) == []
    history = store.turn(hold, history_limit=20).history
    assert [utterance.text for utterance in history] == ["Oi", "um", "dois", "três"]


def test_silence_answers_and_sends_nothing(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    reply = store.answer(hold, store.turn(hold, history_limit=20), "", kind="silence").reply

    assert reply.state == "cancelled"
    assert next_reply(store, CONVERSATION) is None
    assert store.begin_sending(reply.reply_id) is None
    assert waiting(store) == []
    assert [each.text for each in store.turn(hold, history_limit=20).history] == ["Oi"]


def test_metadata_is_kept_until_an_answer_changes_it(store: ConversationStore) -> None:
    append(store, inbound("um"))
    hold = held(store)
    assert store.turn(hold, history_limit=20).metadata == {}

    store.answer(hold, store.turn(hold, history_limit=20), "A", kind="answer", metadata={"cart": ["pão"]})
    assert store.turn(hold, history_limit=20).metadata == {"cart": ["pão"]}

    append(store, inbound("dois"))
    store.answer(hold, store.turn(hold, history_limit=20), "B", kind="answer")
    assert store.turn(hold, history_limit=20).metadata == {"cart": ["pão"]}


def test_a_turn_has_all_that_the_channel_sent(store: ConversationStore) -> None:
    message = inbound("Oi")
    append(store, message)
    answered(store, "de novo")

    turn = store.turn(held(store), history_limit=20)
    assert turn.channel == "twilio"
    first = turn.history[0]
    assert (first.author, first.text, first.message_id) == ("contact", "Oi", message.message_id)
    assert decoded(first.payload) == message.payload


# -- the states of a reply -----------------------------------------------------------------------------


def in_state(store: ConversationStore, state: ReplyState) -> str:
    """The id of a reply that was brought into a state."""
    append(store, inbound("Oi"))
    hold = held(store)
    turn = store.turn(hold, history_limit=20)
    silent = state == "cancelled"
    reply_id = store.answer(
        hold, turn, "" if silent else "Olá!", kind="silence" if silent else "answer"
    ).reply.reply_id
    if state not in {"pending", "cancelled"}:
        assert store.begin_sending(reply_id) is not None
    match state:
        case "sent":
            store.record_sent(reply_id, "SM1")
        case "failed":
            store.record_not_sent(reply_id, "no", final=True)
        case "unknown":
            store.record_unknown(reply_id, "perhaps")
        case "undelivered":
            store.record_sent(reply_id, "SM1")
            store.record_delivery(reply_id, delivery("undelivered"))
    return reply_id


@pytest.mark.parametrize("after", ["pending", "sending", "sent", "failed", "unknown"])
@pytest.mark.parametrize("before", list(REPLY_STATES))
def test_a_state_follows_where_the_rules_say_so(
    store: ConversationStore, before: ReplyState, after: ReplyState
) -> None:
    reply_id = in_state(store, before)

    match after:
        case "pending":
            store.record_not_sent(reply_id, "later", final=False)
        case "sending":
            store.begin_sending(reply_id)
        case "sent":
            store.record_sent(reply_id, "SM2")
        case "failed":
            store.record_not_sent(reply_id, "never", final=True)
        case "unknown":
            store.record_unknown(reply_id, "perhaps")

    reply = store.reply(reply_id)
    assert reply is not None
    assert reply.state == (after if before in REPLY_STATES[after].follows else before)


def test_who_answers_is_remembered(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    assert store.mode(CONVERSATION) == "assistant"

    store.set_mode(CONVERSATION, "nobody", "opted out")
    store.set_mode("no|such|conversation", "nobody", "opted out")

    assert store.mode(CONVERSATION) == "nobody"
    assert store.turn(held(store), history_limit=5).mode == "nobody"
    [summary] = store.reader.conversations()
    assert (summary.mode, summary.mode_reason) == ("nobody", "opted out")
    assert store.mode("no|such|conversation") == "assistant"


# -- a person answers ----------------------------------------------------------------------------------


def test_a_responder_hands_over_together_with_its_answer(store: ConversationStore) -> None:
    append(store, inbound("Quero falar com o gerente"))
    hold = held(store)
    turn = store.turn(hold, history_limit=5)

    reply = store.answer(
        hold, turn, "Um momento", "Já chamo", kind="hand_over", hand_over="wants the manager"
    ).reply

    assert (reply.body, reply.kind, reply.mode, reply.mode_reason) == (
        "Um momento",
        "hand_over",
        "person",
        "wants the manager",
    )
    assert store.mode(CONVERSATION) == "person"


def test_what_a_person_says_is_written_once_and_is_history(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    store.answer(hold, store.turn(hold, history_limit=5), "", kind="silence")

    for _ in range(2):
        reply = store.write(CONVERSATION, "by-hand", "Aqui é a Ana", kind="person", written_by="Ana")
        assert reply is not None
        assert (reply.body, reply.kind, reply.state, reply.written_by) == (
            "Aqui é a Ana",
            "person",
            "pending",
            "Ana",
        )

    assert store.next_to_send(CONVERSATION) == "by-hand"
    history = [(line.author, line.text) for line in store.turn(hold, history_limit=5).history]
    assert history == [("contact", "Oi"), ("us", "Aqui é a Ana")]
    thread = store.reader.thread(CONVERSATION)
    assert [entry.written_by for entry in thread if entry.text == "Aqui é a Ana"] == ["Ana"]


def test_a_notice_answers_its_message_and_no_other(store: ConversationStore) -> None:
    first, stop = inbound("Oi"), inbound("PARAR")
    store.append(first, received_at=1_000)
    store.append(stop, received_at=2_000)
    hold = held(store)

    for _ in range(2):
        reply = store.write(CONVERSATION, "notice", "Feito", kind="notice", answers=stop.message_id)
        assert reply is not None
        assert (reply.kind, reply.state, reply.received_at) == ("notice", "pending", 2_000)

    assert unanswered(store, hold) == ["Oi"]
    assert [line.text for line in store.turn(hold, history_limit=5).history] == ["PARAR", "Feito"]


def test_a_message_that_was_answered_keeps_its_answer(store: ConversationStore) -> None:
    stop = inbound("PARAR")
    append(store, stop)
    hold = held(store)
    store.answer(hold, store.turn(hold, history_limit=5), "A", kind="answer")

    store.write(CONVERSATION, "silent", "", kind="silence", answers=stop.message_id)

    reply = store.reply("silent")
    assert reply is not None
    assert reply.state == "cancelled"
    assert [line.text for line in store.turn(hold, history_limit=5).history] == ["PARAR", "A"]


def test_a_person_writes_to_no_conversation_that_is_not_there(store: ConversationStore) -> None:
    assert store.write("no|such|conversation", "by-hand", "Oi", kind="person") is None
    assert store.reply("by-hand") is None


def test_the_assistant_answers_again_when_no_person_took_part(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    later = 10**15

    assert not store.hand_back(CONVERSATION, silent_since=later), "the assistant answers anyway"
    store.set_mode(CONVERSATION, "person", "taken over by Ana")
    assert not store.hand_back(CONVERSATION, silent_since=1)
    assert store.mode(CONVERSATION) == "person"
    assert store.hand_back(CONVERSATION, silent_since=later)
    assert store.mode(CONVERSATION) == "assistant"

    store.set_mode(CONVERSATION, "nobody", "opted out")
    assert not store.hand_back(CONVERSATION, silent_since=later)


def test_conversations_are_found_by_who_answers(store: ConversationStore) -> None:
    append(store, inbound("Oi"))

    assert len(store.reader.conversations(mode="assistant")) == 1
    assert store.reader.conversations(mode="person") == []
    store.set_mode(CONVERSATION, "person", "taken over by Ana")
    [summary] = store.reader.conversations(mode="person")
    assert summary.conversation == CONVERSATION
    assert store.reader.conversations(mode="assistant") == []


def test_answers_of_the_assistant_are_counted_with_their_tokens(store: ConversationStore) -> None:
    ten, five = Usage("m", 7, 3), Usage("m", 4, 1)
    for kind, usage in (("answer", ten), ("answer", None), ("hand_over", five), ("fallback", None)):
        append(store, inbound("Oi"))
        hold = held(store)
        store.answer(hold, store.turn(hold, history_limit=5), "A", kind=kind, usage=usage)  # type: ignore[arg-type]
    store.write(CONVERSATION, "by-hand", "Oi", kind="person", written_by="Ana")

    assert store.answers_since(CONVERSATION, 0) == (3, 15)
    assert store.answers_since(CONVERSATION, 10**15) == (0, 0)
    assert store.answers_since("no|such|conversation", 0) == (0, 0)


def test_the_last_word_is_the_contacts_when_it_was_answered_with_silence(store: ConversationStore) -> None:
    append(store, inbound("Oi"))
    hold = held(store)
    store.answer(hold, store.turn(hold, history_limit=5), "Olá", kind="answer")
    append(store, inbound("Alguém aí?"))
    store.answer(hold, store.turn(hold, history_limit=5), "", kind="silence")

    [summary] = store.reader.conversations()
    assert (summary.author, summary.text, summary.state) == ("contact", "Alguém aí?", None)

    store.write(CONVERSATION, "by-hand", "Aqui é a Ana", kind="person", written_by="Ana")
    [summary] = store.reader.conversations()
    assert (summary.author, summary.text, summary.state) == ("us", "Aqui é a Ana", "pending")


def test_only_the_contact_undoes_an_opt_out(store: ConversationStore) -> None:
    append(store, inbound("Quero o gerente"))
    hold = held(store)
    turn = store.turn(hold, history_limit=5)
    assert store.set_mode(CONVERSATION, "nobody", "opted out")

    assert not store.set_mode(CONVERSATION, "person", "taken over by Ana")
    assert not store.set_mode(CONVERSATION, "assistant", "")
    store.answer(hold, turn, "Já chamo", kind="hand_over", hand_over="wants the manager")
    assert not store.hand_back(CONVERSATION, silent_since=2**53)
    assert store.mode(CONVERSATION) == "nobody"
    assert store.reader.conversations(mode="person") == []

    assert store.set_mode(CONVERSATION, "assistant", "", opts_in=True)
    assert store.mode(CONVERSATION) == "assistant"
