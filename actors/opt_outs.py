"""Contacts who want no messages, by their own word or by what the channel tells of them.

It is remembered with the conversation: no model is asked, and nothing is sent. Only the contact undoes it.
"""

from __future__ import annotations

import structlog

from .announcing import announce_mode
from .metrics import metrics
from .reply import Reply
from .services import services

logger = structlog.get_logger(__name__)

#: Why nobody answers in a conversation, for people.
OPTED_OUT = "opted out"


def remember(conversation: str, *, source: str) -> None:
    """Remember that a contact wants no messages.

    Parameters:
      conversation: its key.
      source: who said so, for the metrics: the contact by a `keyword`, or the `channel`.
    """
    announce_mode("conversation.opted_out", conversation, reason=OPTED_OUT, asked_by=source)
    if not services().conversations.set_mode(conversation, "nobody", OPTED_OUT):
        return  # that is remembered already, or there is no such conversation
    metrics().opt_outs.labels(source).inc()
    logger.info("the contact has opted out: nothing more is sent", source=source)


def heed(reply: Reply) -> None:
    """Remember an opt-out that a reply's channel told of. About that reply no person has to decide."""
    remember(reply.conversation, source="channel")
    services().conversations.dismiss(reply.reply_id, by=OPTED_OUT)
