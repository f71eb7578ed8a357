"""Contacts who want no messages: STOP, START, HELP, and what the channel tells of them.

It is remembered with the conversation: no model is asked, and nothing is sent. Only the contact undoes it.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from .channels import InboundMessage
from .conversations import Hold, Turn
from .metrics import metrics
from .services import services

logger = structlog.get_logger(__name__)

#: Why nobody answers in a conversation, for people.
OPTED_OUT = "opted out"


def heed(inbound: InboundMessage) -> Callable[[Hold, Turn], None]:
    """Do what a keyword asks for; return what answers it.

    Where the channel answers a keyword itself, nothing of ours is sent.
    """
    settings, conversations = services().settings, services().conversations
    notice = None
    match inbound.keyword:
        case "stop":
            remember(inbound.conversation, source="keyword")
            notice = settings.opt_out_text
        case "start":
            if conversations.mode(inbound.conversation) == "nobody":
                conversations.set_mode(inbound.conversation, "assistant", "")
                logger.info("the contact wants messages again")
            notice = settings.opt_in_text
        case "help":
            notice = settings.help_text
    if inbound.is_answered_by_channel:
        logger.info("keyword: the channel answers it", keyword=inbound.keyword)
        notice = None

    def answer(hold: Hold, turn: Turn) -> None:
        kind = "silence" if notice is None else "notice"
        conversations.answer(hold, turn, notice or "", kind=kind)  # type: ignore[arg-type]

    return answer


def remember(conversation: str, *, source: str) -> None:
    """Remember that a contact wants no messages.

    Parameters:
      conversation: its key.
      source: who said so, for the metrics: the contact by a `keyword`, or the `channel`.
    """
    services().conversations.set_mode(conversation, "nobody", OPTED_OUT)
    metrics().opt_outs.labels(source).inc()
    logger.info("the contact has opted out: nothing more is sent", source=source)
