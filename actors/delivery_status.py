"""What a channel says of a reply's delivery, and what follows from it."""

from __future__ import annotations

from typing import Any

import dramatiq
import structlog

from brokers.clock import now_ms

from . import opt_outs
from .announcing import announce_delivery, announce_reply
from .channels import DeliveryStatus
from .context import bind_contact
from .metrics import metrics
from .noting import note
from .reply import Reply
from .reply_queue import enqueue_sending
from .services import services

logger = structlog.get_logger(__name__)

#: How often a reply is sent again by rule that the channel accepted and could not deliver. Each time it waits
#: twice as long as before.
MOST_SENT_AGAIN = 5


@dramatiq.actor(queue_name="replies", priority=10)
def record_delivery_status(payload: dict[str, Any], reply_id: str, channel: str = "twilio") -> None:
    """Record what the channel says of a reply's delivery.

    Parameters:
      payload: what the channel sent.
      reply_id: the reply it was sent for.
      channel: the channel's name.

    Raises:
      InvalidMessage: the payload does not say which message of the channel's it is about.
    """
    status = services().channel(channel).read_status(payload)
    bind_contact(status.contact, reply_id=reply_id, sid=status.external_id)
    moved = services().conversations.record_delivery(reply_id, status)
    announce_delivery(reply_id, status)
    if status.is_failure and (reply := services().conversations.reply(reply_id)) is not None:
        if status.is_opt_out:
            _announce_undelivered(reply, status)
            opt_outs.heed(reply)
        elif not _is_sent_again(reply, status):
            _note_undelivered(reply, status)
            _announce_undelivered(reply, status)
    metrics().deliveries.labels(status.status if status.rank else "other").inc()
    log = logger.error if status.is_failure and not status.is_opt_out else logger.info
    log("delivery status", status=status.status, error=status.error, moved=moved)


def _is_sent_again(reply: Reply, status: DeliveryStatus) -> bool:
    """Have a reply sent again that the channel could not deliver for what passes, while it is of use.

    It is `pending` already when this was run before, and died before the sending was enqueued. Returns False
    when it is not sent again.
    """
    if status.again_after_ms is None or reply.external_id != status.external_id:
        return False
    delay_ms = status.again_after_ms * 2**reply.times_sent_again
    left_ms = reply.received_at + services().settings.message_max_age_ms - now_ms()
    if reply.state == "undelivered":
        if reply.times_sent_again >= MOST_SENT_AGAIN or delay_ms > left_ms:
            return False
        error = status.error or "not delivered"
        services().conversations.record_not_sent(reply.reply_id, error, final=False)
        metrics().replies.labels("sent_again").inc()
        logger.warning("reply was not delivered: sending it again later", delay_ms=delay_ms)
    elif reply.state != "pending":
        return False
    enqueue_sending(reply.reply_id, delay_ms=delay_ms)
    return True


def _note_undelivered(reply: Reply, status: DeliveryStatus) -> None:
    """Have people told that a reply did not reach its contact.

    A late callback tells nothing of a reply that arrived after all, or is being sent again. The same event is
    told once, so that a repeated callback, or a run after a crash, tells nothing more.
    """
    if reply.state == "undelivered":
        note("reply_undelivered", reply.conversation, about=reply.reply_id, why=status.error)


def _announce_undelivered(reply: Reply, status: DeliveryStatus) -> None:
    if reply.state == "undelivered":
        announce_reply(
            "reply.failed", reply, state="undelivered", external_id=status.external_id, error=status.error
        )
