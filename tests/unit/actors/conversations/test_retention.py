"""What has come to rest is kept for a while, what is owed until it is settled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from actors.channels.twilio.inbound import read
from actors.conversations import ConversationStore
from actors.conversations.redis import RedisConversationStore
from actors.reply import Reply
from tests.support.conversations import (
    CONVERSATION,
    OnServer,
    answered,
    append,
    delivery,
    held,
    inbound,
    next_reply,
    waiting,
)
from tests.support.redis_server import ask
from tests.support.waiting import eventually

#: Long enough for what a test does before it waits.
RETENTION_S = 2.0

ELSEWHERE = "whatsapp:+5511900005678"


@pytest.fixture
def store(place: OnServer) -> Iterator[RedisConversationStore]:
    """A store that keeps things for a moment."""
    with closing(place(retention_s=RETENTION_S)) as store:
        yield store


@pytest.fixture
def patient(place: OnServer) -> Iterator[RedisConversationStore]:
    """One that keeps things in the same place for a month."""
    with closing(place()) as store:
        yield store


def sent(store: ConversationStore, *texts: str, body: str = "Olá!", sid: str = "SM1") -> Reply:
    """A reply that was sent."""
    reply = answered(store, *texts, body=body)
    assert store.begin_sending(reply.reply_id)
    store.record_sent(reply.reply_id, sid)
    return reply


def keys(place: OnServer) -> set[str]:
    """What is kept, without what is kept for a minute, and without the sums of days, which name nobody."""
    prefix = f"{{{place.namespace}}}:"
    names = {name.decode().removeprefix(prefix) for name in ask(place.port, "KEYS", f"{prefix}*")}
    return {name for name in names if not name.startswith(("receipt:", "repeated", "usage:"))}


def members(place: OnServer, kind: str) -> int:
    """How much a sorted set has in it."""
    return int(ask(place.port, "ZCARD", f"{{{place.namespace}}}:{kind}"))


def when_its_time_is_over(place: OnServer) -> None:
    """Wait until something that is at rest now is gone."""
    with closing(OnServer(place.port, place.namespace + "-clock")(retention_s=RETENTION_S)) as clock:
        sent(clock, sid="tick")
        eventually(lambda: not clock.is_known("tick"))


def test_of_a_conversation_at_rest_nothing_stays(store: RedisConversationStore, place: OnServer) -> None:
    reply = sent(store, "um", "dois")
    store.record_delivery(reply.reply_id, delivery("delivered"))
    assert list(store.reader.thread(CONVERSATION))
    assert store.is_known("SM1")

    eventually(lambda: keys(place) == {"conversations", "sequence"})

    assert list(store.reader.thread(CONVERSATION)) == []
    assert store.reply(reply.reply_id) is None
    assert not store.is_known("SM1")
    append(store, inbound(contact=ELSEWHERE))
    assert members(place, "conversations") == 1, "the other is forgotten here too"


def test_it_can_begin_anew(store: RedisConversationStore) -> None:
    sent(store)
    before = held(store)
    eventually(lambda: not store.is_known("SM1"))

    answered(store, "de novo", body="A")

    assert [entry.text for entry in store.reader.thread(CONVERSATION)] == ["de novo", "A"]
    hold = held(store)
    assert hold.fence > before.fence, "no hold of before can be taken for one of now"


def test_a_message_without_an_answer_is_kept(store: RedisConversationStore, place: OnServer) -> None:
    message = inbound()
    append(store, message)

    when_its_time_is_over(place)

    assert waiting(store) == [message]
    assert answered(store, "dois").contact == message.contact.address


@pytest.mark.parametrize("state", ["pending", "sending"])
def test_a_reply_that_is_not_sent_is_kept(store: RedisConversationStore, place: OnServer, state: str) -> None:
    reply = answered(store)
    if state == "sending":
        store.begin_sending(reply.reply_id)

    when_its_time_is_over(place)

    kept = store.reply(reply.reply_id)
    assert kept is not None
    assert kept.state == state
    store.record_sent(reply.reply_id, "SM1")
    assert [entry.text for entry in store.reader.thread(CONVERSATION)] == ["Olá!"], (
        "the message had its answer"
    )


@pytest.mark.parametrize("final", [True, False])
def test_what_is_to_be_sent_after_all_is_kept_again(
    store: RedisConversationStore, patient: RedisConversationStore, place: OnServer, final: bool
) -> None:
    reply_id = answered(patient).reply_id
    patient.begin_sending(reply_id)
    if final:
        store.record_not_sent(reply_id, "refused", final=True)
        patient.begin_sending(reply_id)
    else:
        store.record_unknown(reply_id, "who knows")
        patient.record_not_sent(reply_id, "not found", final=False)

    when_its_time_is_over(place)

    assert patient.reply(reply_id) is not None


def test_what_was_set_aside_goes(store: RedisConversationStore, place: OnServer) -> None:
    message = inbound()
    append(store, message)
    store.quarantine(message)

    eventually(lambda: keys(place) == {"conversations", "sequence"})

    assert append(store, message), "its dead letter was replayed"


def test_what_was_set_aside_and_is_taken_up_is_kept(store: RedisConversationStore, place: OnServer) -> None:
    message = inbound()
    append(store, message)
    store.quarantine(message)
    store.restore(message)

    when_its_time_is_over(place)

    assert waiting(store) == [message]


def test_a_conversation_that_goes_on_forgets_its_beginning(
    store: RedisConversationStore, patient: RedisConversationStore, place: OnServer
) -> None:
    spoilt = inbound("zero")
    append(store, spoilt)
    store.quarantine(spoilt)
    sent(store, "um", body="A", sid="SM1")
    answered(patient, "dois", body="B")
    assert (members(place, f"replies:{CONVERSATION}"), members(place, f"set-aside:{CONVERSATION}")) == (2, 1)

    eventually(lambda: [entry.text for entry in patient.reader.thread(CONVERSATION)] == ["dois", "B"])
    history = patient.turn(held(patient), history_limit=20).history
    assert [line.text for line in history] == ["dois", "B"]

    append(patient, inbound("três"))
    assert (members(place, f"replies:{CONVERSATION}"), members(place, f"set-aside:{CONVERSATION}")) == (1, 0)


def test_silent_conversations_are_forgotten_though_some_are_owed_something(
    store: RedisConversationStore, place: OnServer
) -> None:
    """However many those are: they never hide the others."""
    for number in range(30):
        append(store, inbound(contact=f"whatsapp:+55119000010{number:02}"))
    for number in range(30):
        message = inbound(contact=f"whatsapp:+55119000020{number:02}")
        append(store, message)
        store.quarantine(message)
    when_its_time_is_over(place)

    def one_more() -> int:
        append(store, inbound())
        return members(place, "conversations")

    eventually(lambda: one_more() == 31)


def test_what_the_server_evicted_keeps_nobody_busy(store: RedisConversationStore, place: OnServer) -> None:
    message = inbound()
    append(store, message)
    reply = answered(store, "dois")
    append(store, read({**message.payload, "MessageSid": "SMlost"}))
    for name in (f"inbound:{message.account}.SMlost", f"reply:{reply.reply_id}"):
        assert ask(place.port, "DEL", f"{{{place.namespace}}}:{name}") == 1

    hold = held(store)
    assert list(store.turn(hold, history_limit=5).unanswered) == []
    assert store.finish(hold).is_done
    assert next_reply(store, CONVERSATION) is None
    assert store.begin_sending(reply.reply_id) is None


def keep_house(store: RedisConversationStore) -> None:
    for _ in store.keeper.delete_old():
        pass


def test_that_a_contact_has_opted_out_is_kept_longer_than_what_was_said(
    store: RedisConversationStore, place: OnServer
) -> None:
    sent(store)
    assert store.set_mode(CONVERSATION, "nobody", "opted out")
    hold = held(store)
    store.answer(hold, store.turn(hold, history_limit=0), "", kind="silence", metadata={"nome": "Maria"})
    store.finish(hold)

    left = {"conversations", "with-nobody", "sequence", f"conversation:{CONVERSATION}"}
    eventually(lambda: keys(place) == left)
    keep_house(store)

    assert store.mode(CONVERSATION) == "nobody"
    kept = store.keeper.kept(CONVERSATION)
    assert kept is not None
    assert (kept.metadata, kept.messages, kept.replies) == ("{}", [], [])


def test_an_opt_out_that_an_earlier_version_would_have_forgotten_is_kept(
    store: RedisConversationStore, place: OnServer
) -> None:
    sent(store)
    assert store.set_mode(CONVERSATION, "nobody", "opted out")
    name = f"{{{place.namespace}}}:conversation:{CONVERSATION}"
    assert ask(place.port, "PEXPIRE", name, "600000")

    keep_house(store)

    assert ask(place.port, "PTTL", name) == -1


def test_a_contact_who_opted_in_again_is_forgotten_as_others_are(
    store: RedisConversationStore, place: OnServer
) -> None:
    sent(store)
    assert store.set_mode(CONVERSATION, "nobody", "opted out")
    assert store.set_mode(CONVERSATION, "assistant", "", opts_in=True)

    eventually(lambda: keys(place) == {"conversations", "sequence"})


def test_what_a_person_answers_is_kept_from_one_look_to_the_next(
    store: RedisConversationStore, patient: RedisConversationStore, place: OnServer
) -> None:
    reply = sent(store, "um", "dois")
    aside = inbound("três")
    append(store, aside)
    store.quarantine(aside)
    store.set_mode(CONVERSATION, "person", "asked for one")
    keep_house(patient)

    when_its_time_is_over(place)

    assert [entry.text for entry in store.reader.thread(CONVERSATION)] == ["um", "dois", "Olá!", "três"]
    assert store.is_known("SM1")
    assert store.reply(reply.reply_id) is not None


def test_what_is_gone_leaves_no_number_in_the_list(store: RedisConversationStore, place: OnServer) -> None:
    sent(store)
    eventually(lambda: keys(place) == {"conversations", "sequence"})
    assert members(place, "conversations") == 1

    keep_house(store)

    assert members(place, "conversations") == 0


def test_a_conversation_of_which_only_the_key_is_left_is_found_and_erased(
    store: RedisConversationStore, place: OnServer
) -> None:
    sent(store)
    eventually(lambda: keys(place) == {"conversations", "sequence"})

    assert list(store.keeper.keys("900001234")) == [CONVERSATION]
    store.keeper.erase(CONVERSATION)

    assert members(place, "conversations") == 0
