"""Half a surrogate pair, as a truncated emoji leaves it in JSON, is in no encoding, and stops nobody."""

from __future__ import annotations

from actors.conversations.redis import RedisConversationStore
from tests.support.conversations import CONVERSATION, append, held, inbound, waiting

HALF = "\ud83d"


def test_what_came_in_is_kept_as_it_was(other: RedisConversationStore) -> None:
    message = inbound(f"Oi {HALF}")
    assert append(other, message)

    assert waiting(other) == [message]


def test_what_is_read_can_be_encoded(other: RedisConversationStore) -> None:
    """For the model and for Twilio, who would refuse it."""
    append(other, inbound(f"Oi {HALF}"))
    hold = held(other)
    turn = other.turn(hold, history_limit=5)
    reply = other.answer(hold, turn, f"Olá {HALF}", kind="answer").reply
    other.begin_sending(reply.reply_id)
    other.record_not_sent(reply.reply_id, f"no {HALF}", final=True)

    kept = other.reply(reply.reply_id)
    assert kept is not None
    texts = [
        turn.unanswered[0].text,
        reply.body,
        *(entry.text for entry in other.reader.thread(CONVERSATION)),
    ]
    for text in (*texts, kept.error or ""):
        assert text.encode().startswith((b"Oi ", "Olá ".encode(), b"no "))


def test_it_does_not_spoil_the_changes_of_others(other: RedisConversationStore) -> None:
    assert append(other, inbound("Oi", sid=f"SM{HALF}"))
    assert append(other, inbound("Oi", sid="SM"))
    assert not other.is_known(HALF)
