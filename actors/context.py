"""What every log line says of the message in hand, and of the request it came with."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, Message, Middleware
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

from brokers.durable_message import DurableMessage

from .masking import masked
from .reply import Reply

#: The message option that carries the id of the request a message goes back to.
REQUEST_ID = "request_id"


class LogContext(Middleware):
    """Binds a message to all that its thread logs, Dramatiq's own lines too, until it is settled.

    What is enqueued meanwhile inherits the request's id, so that one search finds everything that came of
    a webhook. Outermost in the stack: what the others log is about a message, too.
    """

    def before_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        request_id = get_contextvars().get(REQUEST_ID)
        if request_id is not None:
            message.options.setdefault(REQUEST_ID, request_id)

    def before_process_message(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]  # noqa: ARG002
        clear_contextvars()  # should the one before have ended without a word
        fields: dict[str, Any] = {
            "message_id": message.message_id,
            "actor": message.actor_name,
            "queue": message.queue_name,
        }
        if REQUEST_ID in message.options:
            fields[REQUEST_ID] = message.options[REQUEST_ID]
        if message.delivery.deliveries > 1:
            fields["deliveries"] = message.delivery.deliveries
        bind_contextvars(**fields)

    def after_ack(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]  # noqa: ARG002
        clear_contextvars()

    def after_nack(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]  # noqa: ARG002
        clear_contextvars()


def bind_contact(contact: str, **fields: str) -> None:
    """Have all that is logged from here on, until the current message is settled, name a contact, masked.

    Parameters:
      contact: their address.
      fields: what else to log with it.
    """
    bind_contextvars(contact=masked(contact), **fields)


def bind_reply(reply: Reply) -> None:
    """Have all that is logged from here on name a reply, and its contact."""
    bind_contact(reply.contact, reply_id=reply.reply_id)
