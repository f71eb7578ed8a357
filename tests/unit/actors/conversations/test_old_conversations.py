"""What a file keeps, and for how long, by a clock that the test sets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from actors.conversations import Deleted, SQLiteConversationStore
from actors.conversations.words import Texts
from actors.reply import Reply
from tests.support.conversations import CONVERSATION, answered, held, inbound, waiting

DAY_MS = 86_400_000
START_MS = 1_700_000_000_000

ELSEWHERE = "whatsapp:+5511900005678"


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = START_MS

    def __call__(self) -> int:
        return self.now

    def pass_days(self, days: float) -> None:
        self.now += int(days * DAY_MS)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Iterator[SQLiteConversationStore]:
    path = tmp_path / "conversations.db"
    with closing(SQLiteConversationStore(path, retention_s=30 * 86_400, clock=clock)) as store:
        yield store


def deleted(store: SQLiteConversationStore) -> Deleted:
    """Delete what is old; how much that was."""
    steps = list(store.keeper.delete_old())
    return Deleted(*(sum(counts) for counts in zip(*steps, strict=True))) if steps else Deleted()


def write(store: SQLiteConversationStore, clock: Clock, text: str = "Oi", **who: str) -> None:
    assert store.append(inbound(text, **who), received_at=clock.now)


def sent(store: SQLiteConversationStore, clock: Clock, text: str = "Oi") -> Reply:
    write(store, clock, text)
    hold = held(store)
    reply = store.answer(hold, store.turn(hold, history_limit=0), f"resposta a {text}", kind="answer").reply
    store.finish(hold)
    store.begin_sending(reply.reply_id)
    store.record_sent(reply.reply_id, f"SM-{reply.reply_id}")
    return reply


def texts(store: SQLiteConversationStore) -> list[str]:
    return [entry.text for entry in store.reader.thread(CONVERSATION)]


def test_what_was_said_goes_when_its_time_is_over_and_not_before(
    store: SQLiteConversationStore, clock: Clock
) -> None:
    sent(store, clock)
    clock.pass_days(29.9)
    assert deleted(store) == Deleted()

    clock.pass_days(0.2)
    assert deleted(store) == Deleted(conversations=1, messages=1, replies=1)

    assert store.keeper.kept(CONVERSATION) is None
    assert deleted(store) == Deleted()


def test_a_conversation_that_goes_on_forgets_its_beginning(
    store: SQLiteConversationStore, clock: Clock
) -> None:
    sent(store, clock, "um")
    clock.pass_days(20)
    sent(store, clock, "dois")
    clock.pass_days(11)

    assert deleted(store) == Deleted(messages=1, replies=1)

    assert texts(store) == ["dois", "resposta a dois"]


def test_a_message_without_an_answer_is_kept(store: SQLiteConversationStore, clock: Clock) -> None:
    sent(store, clock, "um")
    write(store, clock, "dois")
    clock.pass_days(400)

    assert deleted(store) == Deleted(messages=1, replies=1)

    assert [message.text for message in waiting(store)] == ["dois"]


@pytest.mark.parametrize("state", ["pending", "sending"])
def test_a_reply_that_is_owed_is_kept_with_what_it_answers(
    store: SQLiteConversationStore, clock: Clock, state: str
) -> None:
    reply = answered(store)
    if state == "sending":
        store.begin_sending(reply.reply_id)
    clock.pass_days(400)

    assert deleted(store) == Deleted()

    assert texts(store) == ["Oi", "Olá!"]


def test_what_a_person_answers_is_kept_until_it_is_handed_back(
    store: SQLiteConversationStore, clock: Clock
) -> None:
    sent(store, clock)
    assert store.set_mode(CONVERSATION, "person", "asked for one")
    clock.pass_days(400)
    assert deleted(store) == Deleted()

    assert store.hand_back(CONVERSATION, silent_since=2**53)
    assert deleted(store) == Deleted(conversations=1, messages=1, replies=1)


def test_an_opt_out_outlives_what_was_said(store: SQLiteConversationStore, clock: Clock) -> None:
    reply = sent(store, clock, "PARAR")
    hold = held(store)
    store.answer(hold, store.turn(hold, history_limit=0), "", kind="silence", metadata={"nome": "Maria"})
    store.finish(hold)
    assert store.set_mode(CONVERSATION, "nobody", "opted out")
    clock.pass_days(400)

    assert deleted(store) == Deleted(messages=1, replies=2)

    assert store.reply(reply.reply_id) is None
    kept = store.keeper.kept(CONVERSATION)
    assert kept is not None
    assert (kept.mode, kept.metadata, kept.messages, kept.replies) == ("nobody", "{}", [], [])
    write(store, clock)
    assert store.mode(CONVERSATION) == "nobody"


def test_what_was_restored_in_the_meantime_is_kept(store: SQLiteConversationStore, clock: Clock) -> None:
    """A dead letter is replayed between the look at a page and its deletion."""
    message = inbound()
    store.append(message, received_at=clock.now)
    store.quarantine(message)
    clock.pass_days(31)
    delete = store.keeper._delete

    keeper = store.keeper
    restored: list[bool] = []

    def restore_first(statement: str, bindings: object, texts: Texts) -> int:
        if not restored:
            restored.append(True)
            store.restore(message)
        return delete(statement, bindings, texts)

    keeper._delete = restore_first  # type: ignore[method-assign]
    assert [step for step in keeper.delete_old() if any(step)] == []

    assert restored
    assert [each.text for each in waiting(store)] == ["Oi"]


def test_much_is_deleted_in_steps(
    store: SQLiteConversationStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.conversations.sqlite_keeper.STEP", 10)
    for number in range(35):
        sent(store, clock, str(number))
    write(store, clock, "fica", contact=ELSEWHERE)
    for number in range(25):
        contact = f"whatsapp:+55119000020{number:02}"
        message = inbound(contact=contact)
        store.append(message, received_at=clock.now)
        store.quarantine(message)
    clock.pass_days(31)
    write(store, clock, "nova", contact="whatsapp:+5511900003000")

    steps = list(store.keeper.delete_old())

    assert max(max(step) for step in steps) == 10
    assert Deleted(*(sum(counts) for counts in zip(*steps, strict=True))) == Deleted(26, 60, 35)
    left = [summary.text for summary in store.reader.conversations()]
    assert left == ["nova", "fica"]


def test_a_clock_that_was_set_back_stops_no_housekeeping(
    store: SQLiteConversationStore, clock: Clock
) -> None:
    hour_ms = 3_600_000
    assert store.keeper.begin_housekeeping(every_ms=hour_ms)
    clock.pass_days(-300)

    assert store.keeper.begin_housekeeping(every_ms=hour_ms)
    assert not store.keeper.begin_housekeeping(every_ms=hour_ms)
    clock.now += hour_ms
    assert store.keeper.begin_housekeeping(every_ms=hour_ms)
