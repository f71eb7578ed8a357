"""Tells contacts who write to an address that is closed, once in each closed period."""

from __future__ import annotations

import structlog

from brokers.clock import now_ms

from .conversations import Hold, Turn
from .keys import closed_notice_id
from .profiles import OpeningHours
from .services import services

logger = structlog.get_logger(__name__)


def answer_if_closed(hold: Hold, turn: Turn, hours: OpeningHours) -> bool:
    """Answer a turn of closed hours; return False when the assistant is to answer it.

    What came in before the address closed is the assistant's, however late it is answered.

    The id of the notice is made of the conversation and the closed period. So it is written once, whatever
    crashes and runs again in between, and other messages of that period are answered with silence.
    """
    since = None if hours.closed_mode == "assistant" else hours.closed_since(now_ms())
    if since is None or turn.unanswered[0].at_ms < since:
        return False
    conversations, reply_id = (
        services().conversations,
        closed_notice_id(hold.conversation, closed_since=since),
    )
    was_told = conversations.reply(reply_id) is not None
    silent = turn.unanswered if was_told else turn.unanswered[:-1]
    if silent:
        conversations.answer(hold, turn._replace(unanswered=silent), "", kind="silence")
    if not was_told:  # last, so that it stands after all that it answers
        last = turn.unanswered[-1].message_id
        conversations.write(hold.conversation, reply_id, hours.closed_text, kind="notice", answers=last)
    logger.info("closed: the assistant is silent until the address opens", told_before=was_told)
    return True
