"""Does what contacts ask of the channel rather than of the shop: STOP, START, HELP, a person; and calls."""

from __future__ import annotations

import structlog

from . import opt_outs
from .announcing import announce_mode
from .channels import InboundMessage
from .keys import noticing_id
from .people import note_hand_over
from .reply_queue import send_next_reply
from .services import services

logger = structlog.get_logger(__name__)

#: Why a person answers whom the contact asked for, for that person.
ASKED_FOR = "the contact asked for a person"


def heed(inbound: InboundMessage) -> None:
    """Do what a keyword asks for, and answer it. Doing it again changes nothing.

    It waits for no hold: a contact who writes STOP while an answer to something else is being made has opted
    out at that moment. Where the channel answers a keyword itself, nothing of ours is sent.
    """
    is_blocked = services().is_blocked(inbound)
    notice = None if is_blocked and inbound.keyword in {"person", "call"} else _do(inbound)
    if inbound.is_answered_by_channel or inbound.takes_no_answer or is_blocked:
        logger.info("keyword: nothing of ours answers it", keyword=inbound.keyword)
        notice = None
    services().conversations.write(
        inbound.conversation,
        noticing_id(inbound.message_id),
        notice or "",
        kind="silence" if notice is None else "notice",
        answers=inbound.message_id,
    )
    send_next_reply(inbound.conversation)


def _do(inbound: InboundMessage) -> str | None:
    """Do what a keyword asks for; return what its contact is told."""
    settings = services().profile(inbound.address, inbound.service).settings
    conversations = services().conversations
    match inbound.keyword:
        case "stop":
            opt_outs.remember(inbound.conversation, source="keyword")
            return settings.opt_out_text
        case "start":
            is_opted_out = conversations.mode(inbound.conversation) == "nobody"
            announce_mode("conversation.opted_in", inbound.conversation, asked_by="keyword")
            if is_opted_out and conversations.set_mode(inbound.conversation, "assistant", "", opts_in=True):
                logger.info("the contact wants messages again")
            return settings.opt_in_text
        case "help":
            return settings.help_text
        case "person" if note_hand_over(inbound.conversation, ASKED_FOR, asked_by="contact"):
            return settings.hand_over_text
        case "call" if conversations.mode(inbound.conversation) != "nobody":
            return settings.voice_reply_text
    return None
