"""Tells whom a queue message is about, and what was said: for people who have to decide about it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from .channels import InvalidMessage
from .events.event import text_of
from .keys import ConversationKey
from .services import UnknownChannel, services


class Subject(NamedTuple):
    """What a queue message is about."""

    contact: str  # their address
    text: str  # what the contact wrote, or what was to be sent to them, or was


def subject_of(payload: bytes) -> Subject | None:
    """Return what a queue message is about; None where it is of no actor of ours, or cannot be read.

    Parameters:
      payload: of the queue message, whatever is in it.
    """
    try:
        message = json.loads(payload)
        return _subject(message["actor_name"], message["args"], message["kwargs"])
    except (ValueError, TypeError, LookupError, RecursionError, UnknownChannel, InvalidMessage):
        return None  # any program may have enqueued it


def _subject(  # noqa: PLR0911  a case each
    actor: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Subject | None:
    match actor:
        case "process_ai_response":
            return _inbound(*args, **kwargs)
        case "apologise":
            return _inbound(*args[0]["args"], **args[0]["kwargs"])
        case "send_reply" | "reconcile_reply" | "decide_reply":
            return _reply(args[0])
        case "give_up_on_reply" | "give_up_on_finding":
            return _reply(args[0]["args"][0])
        case "record_delivery_status":
            return _status(*args, **kwargs)
        case "say_by_hand":
            return Subject(ConversationKey.read(args[0]).contact, args[2])
        case "deliver_event":
            return Subject(args[1]["contact"], text_of(args[1]))
    return None


def _inbound(payload: Mapping[str, Any], channel: str = "twilio") -> Subject:
    inbound = services().channel(channel).read(payload)
    return Subject(inbound.contact.address, inbound.text)


def _status(payload: Mapping[str, Any], reply_id: str, channel: str = "twilio") -> Subject:
    contact = services().channel(channel).read_status(payload).contact
    reply = services().conversations.reply(reply_id)
    return Subject(contact, "" if reply is None else reply.body)


def _reply(reply_id: str) -> Subject | None:
    reply = services().conversations.reply(reply_id)
    return None if reply is None else Subject(reply.contact, reply.body)
