"""What every store exports, erases and remembers of a contact."""

from __future__ import annotations

from contextlib import closing

import pytest

from actors.channels import InboundMessage
from actors.conversations import ConversationStore, Deleted, HoldLost
from actors.conversations.keeper import OPTED_OUT_BEFORE
from actors.reply import Reply
from tests.support.conversations import (
    ADDRESS,
    CONTACT,
    CONVERSATION,
    OpenStore,
    answered,
    append,
    delivery,
    held,
    inbound,
)

ELSEWHERE = "whatsapp:+5511900005678"


def furnished(store: ConversationStore) -> list[Reply]:
    """A conversation with something of all that there is; its replies."""
    sent, failed, unknown, pending = (
        answered(store, f"pergunta {n}", body=f"resposta {n}") for n in range(4)
    )
    for reply in (sent, failed, unknown):
        assert store.begin_sending(reply.reply_id) is not None
    store.record_sent(sent.reply_id, "SM1")
    store.record_delivery(sent.reply_id, delivery("delivered"))
    store.record_not_sent(failed.reply_id, "recusada", final=True)
    store.record_unknown(unknown.reply_id, "talvez")
    aside = inbound("impossível")
    append(store, aside)
    store.quarantine(aside)
    append(store, inbound("sem resposta"))
    by_hand = store.write(CONVERSATION, "by-hand", "da Ana", kind="person", written_by="Ana")
    assert by_hand is not None
    return [sent, failed, unknown, pending, by_hand]


def opt_out(store: ConversationStore) -> InboundMessage:
    message = inbound("PARAR")
    append(store, message)
    assert store.set_mode(CONVERSATION, "nobody", "opted out")
    return message


def test_all_that_is_kept_of_a_conversation_is_exported(store: ConversationStore) -> None:
    replies = furnished(store)

    kept = store.keeper.kept(CONVERSATION)

    assert kept is not None
    assert (kept.contact, kept.address, kept.channel, kept.mode) == (CONTACT, ADDRESS, "twilio", "assistant")
    texts = [message.text for message in kept.messages]
    assert texts == [*(f"pergunta {n}" for n in range(4)), "impossível", "sem resposta"]
    assert [message.in_quarantine for message in kept.messages] == [False] * 4 + [True, False]
    assert [message.reply_id for message in kept.messages] == [*(r.reply_id for r in replies[:4]), None, None]
    assert all(CONTACT in message.payload for message in kept.messages)
    assert [(reply.reply_id, reply.state) for reply in kept.replies] == [
        (reply.reply_id, state)
        for reply, state in zip(replies, ("sent", "failed", "unknown", "pending", "pending"), strict=True)
    ]
    assert (kept.replies[0].external_id, kept.replies[0].delivery_status) == ("SM1", "delivered")
    assert (kept.replies[1].error, kept.replies[4].written_by) == ("recusada", "Ana")


def test_nothing_is_exported_of_a_conversation_that_is_not_there(store: ConversationStore) -> None:
    assert store.keeper.kept(CONVERSATION) is None
    assert store.keeper.erase(CONVERSATION) == Deleted()


def test_conversations_are_found_by_a_part_of_the_contact(store: ConversationStore) -> None:
    append(store, inbound())
    append(store, inbound(contact=ELSEWHERE))

    assert list(store.keeper.keys("900001234")) == [CONVERSATION]
    assert len(store.keeper.keys("+5511")) == 2
    assert list(store.keeper.keys(ADDRESS)) == [], "that is ours"


def test_what_is_erased_is_gone_and_nothing_else(store: ConversationStore) -> None:
    replies = furnished(store)
    append(store, inbound("de outra pessoa", contact=ELSEWHERE))

    assert store.keeper.erase(CONVERSATION) == Deleted(conversations=1, messages=6, replies=5)

    assert store.keeper.kept(CONVERSATION) is None
    assert list(store.keeper.keys("900001234")) == []
    assert [store.reply(reply.reply_id) for reply in replies] == [None] * 5
    assert not store.is_known("SM1")
    assert list(store.unanswered(CONVERSATION)) == []
    assert [summary.contact for summary in store.reader.conversations()] == [ELSEWHERE]
    assert store.keeper.erase(CONVERSATION) == Deleted(), "again"


def test_a_long_conversation_is_erased_in_steps(
    store: ConversationStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for engine in ("sqlite", "redis"):
        monkeypatch.setattr(f"actors.conversations.{engine}_keeper.STEP", 3)
    for number in range(7):
        answered(store, f"pergunta {number}")
    for _ in range(4):
        append(store, inbound())

    assert store.keeper.erase(CONVERSATION) == Deleted(conversations=1, messages=11, replies=7)
    assert store.keeper.kept(CONVERSATION) is None


def test_what_workers_still_do_for_an_erased_conversation_writes_nothing(store: ConversationStore) -> None:
    reply = answered(store)
    append(store, inbound("e isto?"))
    hold = held(store)
    turn = store.turn(hold, history_limit=5)
    store.begin_sending(reply.reply_id)

    store.keeper.erase(CONVERSATION)

    with pytest.raises(HoldLost):
        store.turn(hold, history_limit=5)
    with pytest.raises(HoldLost):
        store.answer(hold, turn, "tarde demais", kind="answer")
    store.record_sent(reply.reply_id, "SM1")
    store.record_unknown(reply.reply_id, "talvez")
    assert not store.record_delivery(reply.reply_id, delivery("delivered"))
    assert not store.set_mode(CONVERSATION, "person", "tarde demais")
    assert store.write(CONVERSATION, "by-hand", "tarde demais", kind="person") is None
    store.release(hold)
    assert store.keeper.kept(CONVERSATION) is None
    assert list(store.keeper.keys("900001234")) == []


def test_a_hold_of_before_is_none_on_the_conversation_that_comes_after(store: ConversationStore) -> None:
    append(store, inbound("antes"))
    old = held(store)
    turn = store.turn(old, history_limit=5)
    store.keeper.erase(CONVERSATION)

    append(store, inbound("depois"))
    held(store)

    with pytest.raises(HoldLost):
        store.answer(old, turn, "resposta ao que foi apagado", kind="answer")


def test_a_contact_who_opted_out_stays_so_when_all_is_erased(open_store: OpenStore) -> None:
    with closing(open_store()) as store:
        opt_out(store)
        store.keeper.erase(CONVERSATION)
        assert store.keeper.kept(CONVERSATION) is None
        assert store.mode(CONVERSATION) == "assistant", "nothing is there that could have another"

    with closing(open_store()) as store:
        append(store, inbound("Oi de novo"))
        append(store, inbound("Oi", contact=ELSEWHERE))

        assert store.mode(CONVERSATION) == "nobody"
        summary = store.reader.summary(CONVERSATION)
        assert summary is not None
        assert summary.mode_reason == OPTED_OUT_BEFORE
        assert store.mode(inbound(contact=ELSEWHERE).conversation) == "assistant"
        assert not store.set_mode(CONVERSATION, "person", "an operator"), "only the contact undoes it"


def test_a_contact_who_opted_in_again_is_not_taken_for_opted_out_later(store: ConversationStore) -> None:
    opt_out(store)
    store.keeper.erase(CONVERSATION)
    append(store, inbound("START"))
    assert store.set_mode(CONVERSATION, "assistant", "", opts_in=True)

    store.keeper.erase(CONVERSATION)
    append(store, inbound("Oi"))

    assert store.mode(CONVERSATION) == "assistant"


def test_an_opt_out_is_remembered_however_often_all_is_erased(store: ConversationStore) -> None:
    opt_out(store)
    for _ in range(2):
        store.keeper.erase(CONVERSATION)
        append(store, inbound("Oi"))

    assert store.mode(CONVERSATION) == "nobody"


def test_one_process_at_a_time_does_the_housekeeping(open_store: OpenStore) -> None:
    with closing(open_store()) as one, closing(open_store()) as another:
        assert one.keeper.begin_housekeeping(every_ms=3_600_000)
        assert not another.keeper.begin_housekeeping(every_ms=3_600_000)
        assert not one.keeper.begin_housekeeping(every_ms=3_600_000)
