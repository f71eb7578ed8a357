"""Finds out whether a reply was sent that perhaps was, or has a person decide."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import dramatiq
import structlog
from dramatiq.errors import Retry

from brokers.elastic_threads import waiting
from brokers.message_in_hand import current_message
from brokers.records import DeadLetterFilter

from .announcing import announce_reply
from .channels import NotSentYet, OtherReply
from .context import bind_reply
from .keys import reconciling_id, sending_id
from .metrics import metrics
from .noting import note
from .reply import DecidedState, Reply
from .reply_queue import enqueue_reconciling, send_next_reply
from .sent_replies import catch_up_on_sent, record_sent
from .services import services

logger = structlog.get_logger(__name__)

#: Among so many things that were said last, the other replies are looked up that a found message may be.
OTHERS = 100

#: Why a reply is sent again that perhaps was sent, for people.
NOT_FOUND = "not found"


class ReplyUnknown(Exception):
    """It cannot be told whether a reply was sent. A person has to decide."""


def to_be_reconciled(reply: Reply, error: str) -> None:
    """Mark a reply as perhaps sent, and have that found out before anything else is done with it."""
    services().conversations.record_unknown(reply.reply_id, error)
    metrics().replies.labels("unknown").inc()
    logger.error("reply was perhaps sent: asking before anything else", error=error)
    enqueue_reconciling(reply, delay_ms=services().settings.reconcile_delays_ms[0])


def worth_another_look(retries: int, error: BaseException) -> bool:
    """All that may pass, but not that a reply stays unknown."""
    return not isinstance(error, ReplyUnknown) and retries < services().settings.message_max_retries


@dramatiq.actor(queue_name="replies", retry_when=worth_another_look, on_retry_exhausted="give_up_on_finding")
def reconcile_reply(reply_id: str) -> None:
    """Find out whether a reply was sent that perhaps was.

    A status callback that names it settles the matter. Otherwise Twilio is asked, several times, for a
    message like it. What then stays unknown is not sent again, unless the settings say so.
    """
    conversations = services().conversations
    reply = conversations.reply(reply_id)
    if reply is None:
        return
    bind_reply(reply)
    if reply.state != "unknown":
        catch_up_on_sent(reply)
        send_next_reply(reply.conversation)  # this was run before, and may have died before it did so
        return
    try:
        with waiting():
            sid = (
                services()
                .channel(reply.channel)
                .find(reply, is_known=conversations.is_known, others=partial(_others, reply))
            )
    except NotSentYet as error:
        raise Retry(str(error)) from error
    if sid is not None:
        record_sent(reply, sid)
        logger.info("reply was sent after all", sid=sid)
        return
    _look_again_or_decide(reply)


@dramatiq.actor(queue_name="replies")
def give_up_on_finding(message: dict[str, Any], info: dict[str, Any]) -> None:  # noqa: ARG001
    """Have people told of a reply of which it cannot be found out whether it was sent.

    Parameters:
      message: the `reconcile_reply` message that failed for good, or expired.
      info: how often it was tried.
    """
    reply = services().conversations.reply(message["args"][0])
    if reply is not None and reply.state == "unknown":
        bind_reply(reply)
        note("reply_unknown", reply.conversation)
        announce_reply("reply.failed", reply, state="unknown", error=reply.error)


@dramatiq.actor(queue_name="replies", priority=5)
def decide_reply(reply_id: str, state: DecidedState, by: str) -> None:
    """Do what a person decided about a reply. Running it again changes nothing.

    Parameters:
      reply_id: the reply.
      state: `pending`, to be sent again; or `sent`, as the person knows.
      by: the person, for others.
    """
    conversations = services().conversations
    reply = conversations.decide(reply_id, state, by=by) or conversations.reply(reply_id)
    if reply is None or reply.state != state:
        logger.info("nothing is left to be decided about the reply", reply_id=reply_id)
        return
    bind_reply(reply)
    # The dead letter that asked for the decision, and whose id sending it again needs.
    ids = (sending_id(reply_id), reconciling_id(reply_id, sending_at=reply.sending_at))
    backend = services().broker.backend
    if backend.capabilities.looks_up:
        backend.discard(DeadLetterFilter(message_ids=ids))
    logger.info("a person decided about a reply", decision=state, by=by)
    if state == "sent":
        announce_reply("reply.sent", reply, state="sent", external_id=reply.external_id)
    send_next_reply(reply.conversation)


def _others(reply: Reply) -> Sequence[OtherReply]:
    """Return the other late replies of a reply's conversation."""
    entries = services().conversations.reader.thread(reply.conversation, limit=OTHERS)
    return [
        OtherReply(each.text, in_flight=each.state == "sending")
        for each in entries
        if each.author == "us" and each.reply_id != reply.reply_id
    ]


def _look_again_or_decide(reply: Reply) -> None:
    if services().channel(reply.channel).not_found_is_not_sent:
        _send_again(reply)
        return
    message = current_message()
    looks = 1 + (message.options.get("retries", 0) if message is not None else 0)
    delays_ms = services().settings.reconcile_delays_ms
    if looks < len(delays_ms):
        raise Retry(f"Not found at look {looks}", delay=delays_ms[looks])
    if services().settings.reply_unknown_policy == "resend":
        _send_again(reply)
        return
    metrics().replies.labels("lost").inc()
    raise ReplyUnknown(
        f"Reply {reply.reply_id} was perhaps sent, and cannot be found at Twilio. It is not sent again "
        "(REPLY_UNKNOWN_POLICY=at_most_once). Replay this dead letter to look once more."
    )


def _send_again(reply: Reply) -> None:
    logger.warning("reply was not found: sending it again")
    services().conversations.record_not_sent(reply.reply_id, NOT_FOUND, final=False)
    send_next_reply(reply.conversation)
