"""Finds the conversation that a message of a queue belongs to, and the reply to it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from actors.channels.twilio.inbound import text_of
from actors.conversations import Summary, ThreadEntry

from ..context import DashboardContext

#: How many entries at the end of a conversation are searched for the reply to a message.
SEARCHED_ENTRIES = 200

#: How many arguments are tried as ids of replies.
MAX_REPLY_ID_CANDIDATES = 5


def conversation_of(
    context: DashboardContext, message_id: str, body: dict[str, Any] | None
) -> Summary | None:
    """Find the conversation of a message: by its own id, or by the reply or the message it carries."""
    names = [message_id] if body is None else list(_inbound_ids(body))
    for name in names:
        key = context.conversations.reader.conversation_of(name)
        if key is not None:
            return context.conversations.reader.summary(key)
    for argument in islice(_strings(body or {}), MAX_REPLY_ID_CANDIDATES):
        reply = context.conversations.reply(argument)
        if reply is not None:
            return context.conversations.reader.summary(reply.conversation)
    return None


def _inbound_ids(body: dict[str, Any]) -> Iterator[str]:
    """Find the ids of the inbound messages that the arguments carry, however deep."""
    for argument in _arguments(body):
        if isinstance(argument, dict):
            sids = [text_of(argument, name) for name in ("AccountSid", "MessageSid")]
            if all(sid and sid.isascii() for sid in sids):
                yield ".".join(sids)
            yield from _inbound_ids(argument)


def _arguments(body: dict[str, Any]) -> list[Any]:
    arguments = body.get("args")
    return arguments if isinstance(arguments, list) else []


def _strings(body: dict[str, Any]) -> Iterator[str]:
    """Find arguments that may be the id of a reply."""
    for argument in _arguments(body):
        if isinstance(argument, str) and len(argument) == 32 and argument.isascii():
            yield argument
        elif isinstance(argument, dict):
            yield from _strings(argument)


def reply_to(
    context: DashboardContext, summary: Summary, message_id: str, body: dict[str, Any]
) -> ThreadEntry | None:
    """Find the reply to a message, or the reply that the message is about."""
    thread = context.conversations.reader.thread(summary.conversation, limit=SEARCHED_ENTRIES)
    reply_ids = set(_strings(body)) | {entry.reply_id for entry in thread if entry.message_id == message_id}
    return next((entry for entry in thread if entry.author == "us" and entry.reply_id in reply_ids), None)
