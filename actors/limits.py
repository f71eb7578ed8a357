"""How much a contact gets from the assistant: beyond it a person answers, who is told why.

Two programs that answer each other would never stop, and a contact who plays with a model costs money. All
contacts together have the budget of a day.
"""

from __future__ import annotations

from itertools import pairwise

import structlog

from brokers.clock import now_ms

from .budget import share_to_warn_of
from .conversation import decoded
from .conversations import Hold, Turn, Utterance
from .conversations.usage import DAY_MS, day_of
from .notices.events import EventName
from .noting import note_for_all
from .services import services

logger = structlog.get_logger(__name__)

HOUR_MS = 3_600_000

#: A contact who answers within this time so many times in a row is no person who types.
FASTER_THAN_MS = 2_000
FAST_ANSWERS = 8

#: Why the assistant is not to answer, for people.
SAME_TEXT = "the contact sent the same text more than {most} times in a row"
TOO_FAST = "the contact answers within {seconds} s, again and again: it may be a program"
TOO_MANY_REPLIES = "the contact got {replies} replies within an hour"
TOO_MANY_TOKENS = "the contact's answers cost {tokens} tokens within a day"


def over_a_limit(hold: Hold, turn: Turn) -> str | None:
    """Return why the assistant is not to answer a turn, for people; None when it may."""
    return _loop(turn) or _too_much(hold, turn)


def is_budget_used_up() -> bool:
    """Tell whether the budget of today is used up, and have people told when it is, or nearly.

    Each of the two is told once a day. A log line says so once in each process.
    """
    parts, now = services(), now_ms()
    share = share_to_warn_of(parts.conversations.usage, parts.settings, at_ms=now)
    if share is None:
        return False
    event: EventName = "budget_used_up" if share >= 1 else "budget_nearly_used"
    if (event, day_of(now)) not in parts.told_today:
        note_for_all(event, about=str(day_of(now)), why=f"{share:.0%} is used", path="/dashboard/usage")
        parts.told_today.add((event, day_of(now)))
        if share >= 1:
            logger.error("the budget of the day is used up: a person answers until tomorrow", used=share)
        else:
            logger.warning("the budget of the day is nearly used up", used=share)
    return share >= 1


def _loop(turn: Turn) -> str | None:
    said = [*turn.history, *turn.unanswered]
    texts = [each.text for each in said if each.author == "contact"]
    most = services().settings.contact_same_text_limit
    is_same = most and len(texts) > most and len(set(texts[-most - 1 :])) == 1 and turn.history
    if is_same and not _has_attachments(turn):
        return SAME_TEXT.format(most=most)
    if _fast_answers(said) > FAST_ANSWERS:
        return TOO_FAST.format(seconds=FASTER_THAN_MS // 1000)
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
            return TOO_MANY_REPLIES.format(replies=replies)
    is_recent = bool(turn.history) and turn.history[-1].at_ms >= now - DAY_MS
    if settings.contact_tokens_per_day is not None and is_recent:
        _, tokens = services().conversations.answers_since(hold.conversation, now - DAY_MS)
        if tokens >= settings.contact_tokens_per_day:
            return TOO_MANY_TOKENS.format(tokens=tokens)
    return None


def _replies_since(hold: Hold, turn: Turn, since: int) -> int:
    """Count replies. The turn's history goes back so far in most conversations, and then has all of them."""
    history, shown = turn.history, services().settings.ai_history_messages
    if len(history) < shown or history[0].at_ms < since:
        return sum(each.author == "us" and each.at_ms >= since for each in history)
    replies, _ = services().conversations.answers_since(hold.conversation, since)
    return replies
