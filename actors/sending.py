"""Sends replies, at most once."""

from __future__ import annotations

from typing import Any

import dramatiq
import structlog
from dramatiq.errors import Retry

from brokers.clock import now_ms
from brokers.elastic_threads import waiting
from brokers.errors import EngineError
from brokers.message_in_hand import current_message

from . import opt_outs
from .announcing import announce_reply
from .channels import NotSentEver, NotSentYet, OptedOut, Paced, PerhapsSent
from .context import bind_reply
from .metrics import metrics
from .noting import note
from .reconciling import to_be_reconciled
from .reply import OWED, WITHHELD, Reply
from .reply_queue import enqueue_sending, send_next_reply
from .sent_replies import catch_up_on_sent, record_sent
from .services import services
from .snooze import snooze

logger = structlog.get_logger(__name__)

#: The option of a message that names attempts to send under which no call was made, and how many it keeps.
VOID_ATTEMPTS = "void_attempts"
MOST_VOID_ATTEMPTS = 200

#: The option of a message whose turn to send was taken, and has come when it runs again.
HAS_TURN = "has_turn"

#: How much longer than its timeouts a sending may take, in milliseconds.
SENDING_SLACK_MS = 5_000

#: Why a reply did not get through, or perhaps not, for people.
GIVEN_UP = "given up"
WORKER_DIED = "The worker died while the reply was being sent"


def worth_a_retry(retries: int, error: BaseException) -> bool:
    """What is certainly not sent and may yet be, and all that is not the reply's fault."""
    return not isinstance(error, NotSentEver) and retries < services().settings.message_max_retries


@dramatiq.actor(queue_name="replies", retry_when=worth_a_retry, on_retry_exhausted="give_up_on_reply")
def send_reply(reply_id: str) -> None:
    """Send a reply, at most once.

    It is marked as being sent before the call is made, and that is on disk: when this process dies in the
    call, the next delivery of the message finds the mark and does not call again.
    """
    conversations = services().conversations
    if not _has_its_turn(reply_id):
        return
    reply = _begin_sending(reply_id)
    if reply is None:
        _after_a_crash(reply_id)
        return
    bind_reply(reply)
    if reply.kind in WITHHELD[reply.mode]:
        conversations.record_cancelled(reply_id, reply.mode_reason or reply.mode)
        announce_reply("reply.cancelled", reply, state="cancelled", error=reply.mode_reason or reply.mode)
        logger.info("reply cancelled: the assistant does not answer here any more", why=reply.mode_reason)
        send_next_reply(reply.conversation)
        return
    try:
        with waiting():
            sid = services().channel(reply.channel).send(reply)
    except OptedOut as error:
        conversations.record_not_sent(reply_id, str(error), final=True)
        metrics().replies.labels("failed").inc()
        announce_reply("reply.failed", reply, state="failed", error=str(error))
        opt_outs.heed(reply)
    except NotSentYet as error:
        conversations.record_not_sent(reply_id, str(error), final=False)
        logger.warning("reply not sent yet", error=str(error))
        raise Retry(str(error), delay=error.delay_ms) from error
    except NotSentEver as error:
        conversations.record_not_sent(reply_id, str(error), final=True)
        metrics().replies.labels("failed").inc()
        send_next_reply(reply.conversation)
        raise
    except PerhapsSent as error:
        to_be_reconciled(reply, str(error))
    else:
        to_send = record_sent(reply, sid)
        logger.info("reply sent", sid=sid)
        enqueue_sending(to_send)
        return
    send_next_reply(reply.conversation)


@dramatiq.actor(queue_name="replies")
def give_up_on_reply(message: dict[str, Any], info: dict[str, Any]) -> None:  # noqa: ARG001
    """Mark a reply that could not be sent, and let the next of its conversation go.

    Parameters:
      message: the `send_reply` message that failed for good. Replaying its dead letter sends the reply.
      info: how often it was tried.
    """
    reply_id = message["args"][0]
    conversations = services().conversations
    reply = conversations.reply(reply_id)
    if reply is None:
        return
    bind_reply(reply)
    if reply.state in {"pending", "failed"}:
        note("reply_failed", reply.conversation, why=reply.error)
    elif reply.state == "sending":  # so many workers died while they sent it
        note("reply_unknown", reply.conversation)
    if reply.state == "pending":
        conversations.record_not_sent(reply_id, reply.error or GIVEN_UP, final=True)
        metrics().replies.labels("failed").inc()
        logger.error("reply could not be sent", error=reply.error)
    if reply.state in {"pending", "failed"}:
        announce_reply("reply.failed", reply, state="failed", error=reply.error or GIVEN_UP)
    elif reply.state == "sending":
        announce_reply("reply.failed", reply, state="unknown", error=reply.error)
    send_next_reply(reply.conversation)  # also when this was run before, and died here


def _has_its_turn(reply_id: str) -> bool:
    """Tell whether a reply may go now; if not, it comes back when its sender's turn has come.

    The turn is taken in the store, which all workers share, and waited for in the queue and not in a thread.
    """
    message = current_message()
    if message is None or message.options.pop(HAS_TURN, False):
        return True
    # Not `isinstance`, which looks a protocol's members up anew each time, for every reply.
    if not any(getattr(each, "is_paced", False) for each in services().channels.values()):
        return True
    reply = services().conversations.reply(reply_id)
    channel = None if reply is None else services().channel(reply.channel)
    if reply is None or reply.state not in OWED or not isinstance(channel, Paced):
        return True
    pause_ms = channel.pause_after_ms(reply)
    if not pause_ms:
        return True
    wait_ms = services().conversations.pace(f"{reply.account}|{reply.address}", interval_ms=pause_ms)
    if wait_ms <= 0:
        return True
    message.options[HAS_TURN] = True
    services().broker.enqueue(message, delay=wait_ms)
    return False


def _begin_sending(reply_id: str) -> Reply | None:
    """Mark a reply as being sent, under a name of this attempt's own.

    When the store does not answer, the mark may have been made all the same, or be made later, and no call
    follows. So the message remembers the attempt, and the next one knows that nothing was sent under it.
    """
    message = current_message()
    void = [] if message is None else message.options.get(VOID_ATTEMPTS, [])
    attempt = max([now_ms(), *(each + 1 for each in void)])  # a new one: under it a call is made
    try:
        return services().conversations.begin_sending(reply_id, attempt=attempt, void=void)
    except EngineError:
        if message is not None:
            message.options[VOID_ATTEMPTS] = [*void, attempt][-MOST_VOID_ATTEMPTS:]
        raise


def _after_a_crash(reply_id: str) -> None:
    """See to a reply whose message was run before, and perhaps ended within the call."""
    reply = services().conversations.reply(reply_id)
    if reply is None:
        logger.error("reply does not exist", reply_id=reply_id)
        return
    bind_reply(reply)
    catch_up_on_sent(reply)
    if reply.state == "sending" and reply.sending_at is not None:
        longest_ms = (
            int(2_000 * services().settings.twilio_timeout_s) + SENDING_SLACK_MS
        )  # to connect, to answer
        if services().hold_policy.may_still_be_sending(reply.sending_at, longest_ms=longest_ms):
            snooze("reply is perhaps just being sent, by another delivery of the same message")
            return
    if reply.state in {"sending", "unknown"}:  # unknown: it may have died before the look was enqueued
        to_be_reconciled(reply, reply.error or WORKER_DIED)
    send_next_reply(reply.conversation)
