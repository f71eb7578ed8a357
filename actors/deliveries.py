"""From a written reply to a delivered one."""

from __future__ import annotations

from typing import Any

import dramatiq
import structlog
from dramatiq.errors import Retry

from brokers.clock import now_ms
from brokers.durable import current_message
from brokers.elastic_threads import waiting
from brokers.errors import EngineError
from brokers.records import DeadLetterFilter

from . import opt_outs
from .channels import DeliveryStatus, NotSentEver, NotSentYet, OptedOut, Paced, PerhapsSent
from .context import bind_contact, bind_reply
from .keys import reconciling_id, sending_id, with_message_id
from .metrics import metrics
from .noting import note
from .reply import OWED, WITHHELD, DecidedState, Reply
from .services import services
from .snooze import snooze

logger = structlog.get_logger(__name__)

#: The option of a message that names attempts to send under which no call was made, and how many it keeps.
VOID_ATTEMPTS = "void_attempts"
MOST_VOID_ATTEMPTS = 200

#: The option of a message whose turn to send was taken, and has come when it runs again.
HAS_TURN = "has_turn"

#: How often a reply is sent again by rule that the channel accepted and could not deliver. Each time it waits
#: twice as long as before.
MOST_SENT_AGAIN = 5

#: How much longer than its timeouts a sending may take, in milliseconds.
SENDING_SLACK_MS = 5_000


class ReplyUnknown(Exception):
    """It cannot be told whether a reply was sent. A person has to decide."""


def send_next_reply(conversation: str) -> None:
    """Enqueue the sending of the conversation's oldest pending reply.

    Replies of a conversation go out one after another, so the next is enqueued when the one before is
    through. The message's id is the reply's: enqueueing it twice is harmless.
    """
    reply = services().conversations.next_to_send(conversation)
    if reply is not None:
        _enqueue(send_reply, reply.reply_id, message_id=sending_id(reply.reply_id))


def worth_a_retry(retries: int, error: BaseException) -> bool:
    """What is certainly not sent and may yet be, and all that is not the reply's fault."""
    final = isinstance(error, NotSentEver | ReplyUnknown)
    return not final and retries < services().settings.message_max_retries


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
        logger.info("reply cancelled: the assistant does not answer here any more", why=reply.mode_reason)
        send_next_reply(reply.conversation)
        return
    try:
        with waiting():
            sid = services().channel(reply.channel).send(reply)
    except OptedOut as error:
        conversations.record_not_sent(reply_id, str(error), final=True)
        metrics().replies.labels("failed").inc()
        opt_outs.remember(reply.conversation, source="channel")
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
        _to_be_reconciled(reply, str(error))
    else:
        _record_sent(reply, sid)
        logger.info("reply sent", sid=sid)
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
        conversations.record_not_sent(reply_id, reply.error or "given up", final=True)
        metrics().replies.labels("failed").inc()
        logger.error("reply could not be sent", error=reply.error)
    send_next_reply(reply.conversation)  # also when this was run before, and died here


@dramatiq.actor(queue_name="replies", retry_when=worth_a_retry, on_retry_exhausted="give_up_on_finding")
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
        send_next_reply(reply.conversation)  # this was run before, and may have died before it did so
        return
    try:
        with waiting():
            sid = services().channel(reply.channel).find(reply, is_known=conversations.is_known)
    except NotSentYet as error:
        raise Retry(str(error)) from error
    if sid is not None:
        _record_sent(reply, sid)
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
    if status.is_failure and (reply := services().conversations.reply(reply_id)) is not None:
        if status.is_opt_out:
            opt_outs.remember(reply.conversation, source="channel")
        elif not _is_sent_again(reply, status):
            _note_undelivered(reply, status)
    metrics().deliveries.labels(status.status if status.rank else "other").inc()
    log = logger.error if status.is_failure and not status.is_opt_out else logger.info
    log("delivery status", status=status.status, error=status.error, moved=moved)


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
    send_next_reply(reply.conversation)


def _has_its_turn(reply_id: str) -> bool:
    """Tell whether a reply may go now; if not, it comes back when its sender's turn has come.

    The turn is taken in the store, which all workers share, and waited for in the queue and not in a thread.
    """
    message = current_message()
    is_paced = any(isinstance(each, Paced) and each.is_paced for each in services().channels.values())
    if message is None or message.options.pop(HAS_TURN, False) or not is_paced:
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
    _enqueue(send_reply, reply.reply_id, message_id=sending_id(reply.reply_id), delay_ms=delay_ms)
    return True


def _note_undelivered(reply: Reply, status: DeliveryStatus) -> None:
    """Have people told that a reply did not reach its contact.

    A late callback tells nothing of a reply that arrived after all, or is being sent again. The same event is
    told once, so that a repeated callback, or a run after a crash, tells nothing more.
    """
    if reply.state == "undelivered":
        note("reply_undelivered", reply.conversation, about=reply.reply_id, why=status.error)


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
    if reply.state == "sending" and reply.sending_at is not None:
        longest_ms = (
            int(2_000 * services().settings.twilio_timeout_s) + SENDING_SLACK_MS
        )  # to connect, to answer
        if services().hold_policy.may_still_be_sending(reply.sending_at, longest_ms=longest_ms):
            snooze("reply is perhaps just being sent, by another delivery of the same message")
            return
    if reply.state in {"sending", "unknown"}:  # unknown: it may have died before the look was enqueued
        _to_be_reconciled(reply, reply.error or "The worker died while the reply was being sent")
    send_next_reply(reply.conversation)


def _record_sent(reply: Reply, sid: str) -> None:
    channel = services().channel(reply.channel)
    segments = channel.segments(reply) if isinstance(channel, Paced) else 1
    services().conversations.record_sent(reply.reply_id, sid, segments=segments)
    metrics().replies.labels("sent").inc()
    metrics().segments.inc(segments)
    # Of one that was found later this is more than its contact waited, and the most that is known.
    metrics().reply_seconds.observe((now_ms() - reply.received_at) / 1000)


def _to_be_reconciled(reply: Reply, error: str) -> None:
    services().conversations.record_unknown(reply.reply_id, error)
    metrics().replies.labels("unknown").inc()
    logger.error("reply was perhaps sent: asking before anything else", error=error)
    first_ms = services().settings.reconcile_delays_ms[0]
    message_id = reconciling_id(reply.reply_id, sending_at=reply.sending_at)
    _enqueue(reconcile_reply, reply.reply_id, message_id=message_id, delay_ms=first_ms)


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
    services().conversations.record_not_sent(reply.reply_id, "not found", final=False)
    send_next_reply(reply.conversation)


def _enqueue(
    actor: dramatiq.Actor[Any, Any], reply_id: str, *, message_id: str, delay_ms: int | None = None
) -> None:
    services().broker.enqueue(with_message_id(actor.message(reply_id), message_id), delay=delay_ms)
