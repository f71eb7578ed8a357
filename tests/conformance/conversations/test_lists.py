"""What a store shows of its conversations to people."""

from __future__ import annotations

import itertools
from contextlib import closing

from actors.conversations import ConversationStore
from actors.conversations.reader import PageStart
from tests.support.conversations import (
    ADDRESS,
    CONTACT,
    CONVERSATION,
    OpenStore,
    answered,
    append,
    delivery,
    inbound,
)

OTHER = "whatsapp:+5511900005678"


def contacts(store: ConversationStore, **narrow: int | str | PageStart) -> list[str]:
    return [summary.contact for summary in store.reader.conversations(**narrow)]  # type: ignore[arg-type]


def test_there_are_no_conversations_before_anyone_writes(store: ConversationStore) -> None:
    assert list(store.reader.conversations()) == []
    assert store.reader.summary(CONVERSATION) is None
    assert store.reader.conversation_of("AC1.SM1") is None


def test_a_conversation_is_named_by_its_messages(store: ConversationStore) -> None:
    first, second = inbound("um"), inbound("dois")
    append(store, first)
    append(store, second)

    assert store.reader.conversation_of(first.message_id) == CONVERSATION
    assert store.reader.conversation_of(second.message_id) == CONVERSATION
    assert store.reader.conversation_of(second.message_id + "0") is None
    summary = store.reader.summary(CONVERSATION)
    assert summary is not None
    assert summary.message_id == second.message_id


def test_what_waits_for_an_answer_comes_last_and_is_counted(store: ConversationStore) -> None:
    reply = answered(store, "um", body="Olá!")
    store.begin_sending(reply.reply_id)
    store.record_delivery(reply.reply_id, delivery("delivered"))
    append(store, inbound("dois"))
    append(store, inbound("três"))

    summary = store.reader.summary(CONVERSATION)

    assert summary is not None
    assert (summary.contact, summary.address) == (CONTACT, ADDRESS)
    assert (summary.author, summary.text, summary.unanswered) == ("contact", "três", 2)
    assert (summary.state, summary.delivery_status) == ("sent", "delivered")


def test_a_reply_is_said_last_when_nothing_waits(store: ConversationStore) -> None:
    answered(store, "um", "dois", body="Olá!")

    summary = store.reader.summary(CONVERSATION)

    assert summary is not None
    assert (summary.author, summary.text, summary.unanswered) == ("us", "Olá!", 0)
    assert (summary.state, summary.delivery_status) == ("pending", None)


def test_the_conversation_of_the_latest_word_comes_first(store: ConversationStore) -> None:
    append(store, inbound("um"))
    append(store, inbound("dois", contact=OTHER))
    assert contacts(store) == [OTHER, CONTACT]

    answered(store, "três")

    assert contacts(store) == [CONTACT, OTHER]
    summaries = store.reader.conversations()
    assert summaries[0].last_at >= summaries[1].last_at > 0


def test_a_page_of_conversations(store: ConversationStore) -> None:
    everyone = [f"whatsapp:+551190000{number:04}" for number in range(7)]
    for contact in everyone:
        append(store, inbound(contact=contact))
    latest_first = everyone[::-1]

    assert contacts(store, limit=3) == latest_first[:3]
    assert contacts(store, limit=3, offset=6) == latest_first[6:]
    assert contacts(store, limit=3, offset=7) == []


def walk(store: ConversationStore, limit: int, **narrow: int | str) -> list[str]:
    """All conversations, page after page."""
    seen: list[str] = []
    place: PageStart | None = None
    while True:
        page = store.reader.conversations(limit=limit, after=place, **narrow)  # type: ignore[arg-type]
        seen += [summary.contact for summary in page]
        if not page:
            return seen
        place = PageStart(page[-1].last_at, page[-1].conversation)


def test_pages_begin_where_the_one_before_ended(store: ConversationStore) -> None:
    everyone = [f"whatsapp:+551190000{number:04}" for number in range(7)]
    for contact in everyone:
        append(store, inbound(contact=contact))

    for limit in (1, 2, 3, 7, 8):
        assert walk(store, limit) == everyone[::-1], limit
    assert walk(store, 2, contact="0003") == [everyone[3]]


def test_what_is_said_meanwhile_neither_repeats_nor_hides_a_conversation(store: ConversationStore) -> None:
    everyone = [f"whatsapp:+551190000{number:04}" for number in range(6)]
    for contact in everyone:
        append(store, inbound(contact=contact))
    page = store.reader.conversations(limit=2)
    append(store, inbound("de novo", contact=everyone[5]))
    append(store, inbound("novo", contact=OTHER))

    place = PageStart(page[-1].last_at, page[-1].conversation)

    assert contacts(store, after=place) == everyone[3::-1]


def test_conversations_of_the_same_moment_are_each_on_one_page(open_store: OpenStore) -> None:
    with closing(open_store(clock=lambda: 1_700_000_000_000)) as store:
        everyone = [f"whatsapp:+551190000{number:04}" for number in range(5)]
        for contact in everyone:
            append(store, inbound(contact=contact))
        summaries = store.reader.conversations()
        assert len({summary.last_at for summary in summaries}) == 1

        assert walk(store, 2) == [summary.contact for summary in summaries] == everyone[::-1]
        for summary in summaries:
            store.set_mode(summary.conversation, "person", "asked")
        assert walk(store, 2, mode="person") == everyone[::-1]


def test_the_place_of_a_conversation_that_is_gone_is_before_all_that_are_older(open_store: OpenStore) -> None:
    times = itertools.count(1_700_000_000_000)
    with closing(open_store(clock=lambda: next(times))) as store:
        append(store, inbound("um"))
        append(store, inbound("dois", contact=OTHER))
        [latest, _] = store.reader.conversations()

        assert contacts(store, after=PageStart(latest.last_at, "")) == [CONTACT]


def test_those_that_a_person_answers_are_in_the_order_of_what_was_said(store: ConversationStore) -> None:
    append(store, inbound("um"))
    append(store, inbound("dois", contact=OTHER))
    for summary in store.reader.conversations():
        store.set_mode(summary.conversation, "person", "asked")  # the latest first

    assert contacts(store, mode="person") == [OTHER, CONTACT]
    assert walk(store, 1, mode="person") == [OTHER, CONTACT]


def test_those_that_nobody_answers_are_in_the_order_of_what_was_said(store: ConversationStore) -> None:
    for number in range(6):
        append(store, inbound("Oi", contact=f"whatsapp:+55119000000{number:02}"))
    latest_first = [summary.conversation for summary in store.reader.conversations()]
    for conversation in (latest_first[3], latest_first[0], latest_first[1]):
        assert store.set_mode(conversation, "nobody", "opted out")

    def listed() -> list[str]:
        return [summary.conversation for summary in store.reader.conversations(mode="nobody")]

    for _ in range(2):  # before the stores were kept house in, and after
        assert listed() == [latest_first[0], latest_first[1], latest_first[3]]
        assert len(walk(store, 1, mode="nobody")) == 3
        assert contacts(store, mode="nobody", contact="000005") == ["whatsapp:+5511900000005"]
        for _ in store.keeper.delete_old():
            pass

    append(store, inbound("Olá", contact="whatsapp:+5511900000002"))  # that is the fourth of them
    assert listed() == [latest_first[3], latest_first[0], latest_first[1]]
    assert store.set_mode(latest_first[0], "assistant", "", opts_in=True)
    assert listed() == [latest_first[3], latest_first[1]]
    store.keeper.erase(latest_first[3])
    assert listed() == [latest_first[1]]
    append(store, inbound("Oi de novo", contact="whatsapp:+5511900000002"))
    assert listed() == [latest_first[3], latest_first[1]], "the opt-out outlives what was said"


def test_conversations_are_found_by_a_part_of_the_contact(store: ConversationStore) -> None:
    append(store, inbound("um"))
    append(store, inbound("dois", contact=OTHER))

    assert contacts(store, contact="5678") == [OTHER]
    assert contacts(store, contact="+551190000") == [OTHER, CONTACT]
    assert contacts(store, contact="+551190000", limit=1, offset=1) == [CONTACT]
    assert contacts(store, contact="%") == []


def test_the_end_of_a_thread(store: ConversationStore) -> None:
    answered(store, "um", "dois", body="A")
    answered(store, "três", body="B")
    append(store, inbound("quatro"))
    whole = list(store.reader.thread(CONVERSATION))
    assert [entry.text for entry in whole] == ["um", "dois", "A", "três", "B", "quatro"]

    for limit in range(8):
        assert list(store.reader.thread(CONVERSATION, limit=limit)) == whole[len(whole) - min(limit, 6) :]


def test_a_thread_tells_of_deliveries(store: ConversationStore) -> None:
    reply = answered(store, "um")
    store.begin_sending(reply.reply_id)
    store.record_delivery(reply.reply_id, delivery("undelivered", code="30003"))

    [message, ours] = store.reader.thread(CONVERSATION)

    assert (ours.state, ours.delivery_status, ours.error) == (
        "undelivered",
        "undelivered",
        delivery("undelivered", code="30003").error,
    )
    assert (message.state, message.delivery_status, message.error) == (None, None, None)


def test_a_thread_tells_what_was_set_aside(store: ConversationStore) -> None:
    message = inbound("um")
    append(store, message)
    append(store, inbound("dois"))
    store.quarantine(message)

    assert [(entry.text, entry.in_quarantine) for entry in store.reader.thread(CONVERSATION)] == [
        ("um", True),
        ("dois", False),
    ]
    store.restore(message)
    assert not any(entry.in_quarantine for entry in store.reader.thread(CONVERSATION))
