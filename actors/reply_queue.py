"""Enqueues what is to be done with a reply.

The actors are named here and not imported, so that each of them can have another one run.
"""

from __future__ import annotations

from typing import Any

from dramatiq import Message

from .keys import reconciling_id, sending_id, with_message_id
from .reply import Reply
from .services import services


def send_next_reply(conversation: str) -> None:
    """Enqueue the sending of the conversation's oldest pending reply.

    Replies of a conversation go out one after another, so the next is enqueued when the one before is
    through.
    """
    enqueue_sending(services().conversations.next_to_send(conversation))


def enqueue_sending(reply_id: str | None, *, delay_ms: int | None = None) -> None:
    """Enqueue the sending of a reply, if there is one. Twice is harmless: the message's id is the reply's."""
    if reply_id is not None:
        _enqueue("send_reply", reply_id, message_id=sending_id(reply_id), delay_ms=delay_ms)


def enqueue_reconciling(reply: Reply, *, delay_ms: int) -> None:
    """Have it found out whether a reply was sent that perhaps was. Twice for one sending is harmless."""
    message_id = reconciling_id(reply.reply_id, sending_at=reply.sending_at)
    _enqueue("reconcile_reply", reply.reply_id, message_id=message_id, delay_ms=delay_ms)


def _enqueue(actor_name: str, reply_id: str, *, message_id: str, delay_ms: int | None) -> None:
    message: Message[Any] = Message(
        queue_name="replies", actor_name=actor_name, args=(reply_id,), kwargs={}, options={}
    )
    services().broker.enqueue(with_message_id(message, message_id), delay=delay_ms)
