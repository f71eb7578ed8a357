"""An event: what another system is told, as JSON. Its fields are a contract: none is ever renamed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ops.foundation.settings import EventType

from ..channels import InboundMessage
from ..keys import ConversationKey, event_id
from ..reply import Reply, ReplyState

#: Of the fields. A receiver may count on those of its version; more may be added to them.
VERSION = 1

#: An event, made of what JSON is made of.
Event = Mapping[str, Any]


def event(
    event_type: EventType, conversation: str, data: Mapping[str, Any], *, about: str, at_ms: int
) -> Event:
    """Make an event.

    Parameters:
      event_type: what happened.
      conversation: the key of the conversation in which it happened.
      data: what it is about.
      about: names the fact: the same fact makes the same id.
      at_ms: when it happened, in milliseconds since the epoch.
    """
    key = ConversationKey.read(conversation)
    time = datetime.fromtimestamp(at_ms / 1_000, UTC).isoformat(timespec="milliseconds")
    return {
        "version": VERSION,
        "id": event_id(event_type, f"{conversation}\n{about}"),
        "type": event_type,
        "time": time.replace("+00:00", "Z"),
        "time_ms": at_ms,
        "conversation": conversation,
        "account": key.account,
        "address": key.address,
        "contact": key.contact,
        **data,
    }


def of_message(inbound: InboundMessage) -> Mapping[str, Any]:
    """Return what an event tells of an inbound message."""
    return {
        "channel": inbound.channel,
        "message": {
            "id": inbound.message_id,
            "external_id": inbound.external_id,
            "text": inbound.text,
            "contact_name": inbound.contact.name,
            "keyword": inbound.keyword,
            "media": [{"content_type": each.content_type} for each in inbound.media],
        },
    }


def of_reply(
    reply: Reply, *, state: ReplyState, external_id: str | None, error: str | None
) -> Mapping[str, Any]:
    """Return what an event tells of a reply.

    Parameters:
      reply: the reply, as it was stored before or after.
      state: the one that the event is about.
      external_id: the channel's id of it, by then.
      error: why it is in that state, where that is an error.
    """
    return {
        "channel": reply.channel,
        "reply": {
            "id": reply.reply_id,
            "external_id": external_id,
            "text": reply.body,
            "kind": reply.kind,
            "state": state,
            "written_by": reply.written_by,
            "error": error,
        },
    }


def encoded(event: Event) -> bytes:
    """Return the body of the request that tells an event. Half a surrogate pair becomes a question mark."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def text_of(event: Event) -> str:
    """Return the text that an event carries; empty where it carries none."""
    said = event.get("message") or event.get("reply") or {}
    return str(said.get("text", ""))
