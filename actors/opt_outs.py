"""Contacts who want no messages, by their own word or by what the channel tells of them.

It is remembered with the conversation: no model is asked, and nothing is sent. Only the contact undoes it.
"""

from __future__ import annotations

import structlog

from .metrics import metrics
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
    if not services().conversations.set_mode(conversation, "nobody", OPTED_OUT):
        return  # that is remembered already, or there is no such conversation
    metrics().opt_outs.labels(source).inc()
    logger.info("the contact has opted out: nothing more is sent", source=source)
