"""How much a contact gets from the assistant: beyond it a person answers, who is told why.

Two programs that answer each other would never stop, and a contact who plays with a model costs money.
"""

from __future__ import annotations

from itertools import pairwise

from brokers.clock import now_ms

from .conversation import decoded
from .conversations import Hold, Turn, Utterance
from .services import services

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

#: A contact who answers within this time so many times in a row is no person who types.
FASTER_THAN_MS = 2_000
FAST_ANSWERS = 8


def over_a_limit(hold: Hold, turn: Turn) -> str | None:
    """Return why the assistant is not to answer a turn, for people; None when it may."""
    return _loop(turn) or _too_much(hold, turn)


def _loop(turn: Turn) -> str | None:
    said = [*turn.history, *turn.unanswered]
    texts = [each.text for each in said if each.author == "contact"]
    most = services().settings.contact_same_text_limit
    is_same = most and len(texts) > most and len(set(texts[-most - 1 :])) == 1 and turn.history
    if is_same and not _has_attachments(turn):
        return f"the contact sent the same text more than {most} times in a row"
    if _fast_answers(said) > FAST_ANSWERS:
        return f"the contact answers within {FASTER_THAN_MS // 1000} s, again and again: it may be a program"
    return None


def _has_attachments(turn: Turn) -> bool:
    """Whether the latest message has any: the pictures of an album have one text, and are not the same."""
    channel = services().channel(turn.channel)
    return bool(channel.read(decoded(turn.unanswered[-1].payload)).media)


def _fast_answers(said: list[Utterance]) -> int:
    """Count how many times in a row, up to the last, the contact answered faster than people type."""
    count = 0
    for ours, theirs in reversed(list(pairwise(said))):
        if (ours.author, theirs.author) != ("us", "contact"):
            continue
        if not 0 <= theirs.at_ms - ours.at_ms < FASTER_THAN_MS:
            break
        count += 1
    return count


def _too_much(hold: Hold, turn: Turn) -> str | None:
    settings, now = services().settings, now_ms()
    if settings.contact_replies_per_hour is not None:
        replies = _replies_since(hold, turn, now - HOUR_MS)
        if replies >= settings.contact_replies_per_hour:
            return f"the contact got {replies} replies within an hour"
    is_recent = bool(turn.history) and turn.history[-1].at_ms >= now - DAY_MS
    if settings.contact_tokens_per_day is not None and is_recent:
        _, tokens = services().conversations.answers_since(hold.conversation, now - DAY_MS)
        if tokens >= settings.contact_tokens_per_day:
            return f"the contact's answers cost {tokens} tokens within a day"
    return None


def _replies_since(hold: Hold, turn: Turn, since: int) -> int:
    """Count replies. The turn's history goes back so far in most conversations, and then has all of them."""
    history, shown = turn.history, services().settings.ai_history_messages
    if len(history) < shown or history[0].at_ms < since:
        return sum(each.author == "us" and each.at_ms >= since for each in history)
    replies, _ = services().conversations.answers_since(hold.conversation, since)
    return replies
