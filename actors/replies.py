"""Has inbound messages answered, one conversation at a time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import dramatiq
import structlog
from dramatiq.errors import Retry

from brokers.clock import now_ms
from brokers.message_in_hand import current_message

from .announcing import announce_message
from .answering import answer_until_caught_up, keep_silent, with_the_fallback, with_the_responder
from .channels import InboundMessage
from .context import bind_contact
from .conversation import decoded
from .conversations import Hold
from .hold_policy import Uncertain
from .keys import with_message_id
from .keywords import heed
from .noting import note
from .reply_queue import send_next_reply
from .responders import ResponderRefused
from .services import services
from .shared_calls import NoCallNow, end_call_of_before
from .snooze import snooze

logger = structlog.get_logger(__name__)


def worth_a_retry(retries: int, error: BaseException) -> bool:
    """What was refused stays refused; all else may pass."""
    return not isinstance(error, ResponderRefused) and retries < services().settings.message_max_retries


@dramatiq.actor(queue_name="messages", retry_when=worth_a_retry, on_retry_exhausted="apologise")
def process_ai_response(payload: dict[str, Any], channel: str = "twilio") -> None:
    """Answer an inbound message, and whatever else its contact wrote that is unanswered.

    Parameters:
      payload: what the channel sent.
      channel: the channel's name.
    """
    inbound = _recognised(services().channel(channel).read(payload))
    bind_contact(inbound.contact.address, message_sid=inbound.external_id)
    message = current_message()
    received_at = now_ms() if message is None else message.message_timestamp
    if inbound.keyword is not None:
        _record_inbound(inbound, received_at=received_at)
        heed(inbound)
        return
    hold = _record_inbound_and_hold(inbound, received_at=received_at) or _hold(inbound)
    if hold is None:
        return
    if inbound.takes_no_answer or services().is_blocked(inbound):
        logger.info("recorded and not answered: its sender takes no answer, or is blocked")
        answer_until_caught_up(hold, keep_silent)
    elif not _waits_for_the_rest_of_a_burst():
        try:
            answer_until_caught_up(hold, with_the_responder)
        except NoCallNow as no_call:
            _ask_again(no_call)


@dramatiq.actor(queue_name="messages", priority=10)
def apologise(message: dict[str, Any], info: dict[str, Any]) -> None:  # noqa: ARG001
    """See to a message that could not be answered and is a dead letter by now.

    With a fallback text, the contact is told that, for everything unanswered. Without one, the message goes
    into quarantine, so that it does not spoil the turns to come, and what else is unanswered is tried by
    itself.

    Parameters:
      message: the `process_ai_response` message that failed for good, or expired before it was ever run.
      info: how often it was tried.
    """
    channel = services().channel(*message["args"][1:], **message["kwargs"])
    inbound = _recognised(channel.read(message["args"][0]))
    bind_contact(inbound.contact.address, message_sid=inbound.external_id)
    _record_inbound(inbound, received_at=message["message_timestamp"])
    is_blocked = services().is_blocked(inbound)
    takes_fallback = not (inbound.takes_no_answer or inbound.keyword or is_blocked)
    settings = services().profile(inbound.address, inbound.service).settings
    fallback = settings.reply_fallback_text if takes_fallback else None
    if not (inbound.takes_no_answer or is_blocked):
        note("no_answer", inbound.conversation)
        announce_message("message.failed", inbound, at_ms=now_ms())
    if fallback is None:
        services().conversations.quarantine(inbound)
        if not _requeue_waiters(inbound):
            snooze("snoozed: a concurrent message of this conversation has not finished")
            return
    logger.error("no answer could be produced", fallback=fallback is not None)
    if fallback is not None and (hold := _hold(inbound, on_behalf_of=message["message_id"])) is not None:
        answer_until_caught_up(hold, partial(with_the_fallback, fallback=fallback))


def _recognised(inbound: InboundMessage) -> InboundMessage:
    """Return a message as one of the conversation with its contact, whose address may have changed."""
    if inbound.contact.id is None:
        return inbound
    return replace(inbound, known_as=services().conversations.known_as(inbound))


def _record_inbound(inbound: InboundMessage, *, received_at: int) -> None:
    """See that an inbound message is in its conversation, and that no other depends on this run."""
    _follow_up(inbound, services().conversations.append(inbound, received_at=received_at), received_at)


def _record_inbound_and_hold(inbound: InboundMessage, *, received_at: int) -> Hold | None:
    """Do what `_record_inbound` does, and hold the conversation if nobody else does."""
    conversations = services().conversations
    is_new, hold = conversations.append_and_hold(inbound, received_at=received_at, holder=_holder())
    try:
        _follow_up(inbound, is_new, received_at)
    except BaseException:
        if hold is not None:
            conversations.release(hold)
        raise
    return hold


def _follow_up(inbound: InboundMessage, is_new: bool, received_at: int) -> None:
    """Do what follows from a message's being in its conversation."""
    conversations, message = services().conversations, current_message()
    if not is_new and (message is None or not message.options.get("gathered")):
        logger.info("message is known already: a repeated webhook, or a second delivery")
    if message is None or not message.options.get("gathered"):  # when it is, an earlier run did so to its end
        announce_message("message.received", inbound, at_ms=received_at)
    if message is not None and message.options.get("replayed"):
        conversations.restore(inbound)
    if message is not None and message.delivery.crashes:
        end_call_of_before()
        # Others may have left this conversation to us before the crash. Should we never finish, they must
        # not be forgotten with us.
        _requeue_waiters(inbound)


def _requeue_waiters(inbound: InboundMessage) -> bool:
    """Give each other unanswered message of the conversation a queue message of its own again.

    Returns False when one was found running: it is the one of before, perhaps, and about to be done.
    """
    others = services().conversations.unanswered(inbound.conversation)
    return services().hold_policy.requeue_waiters(
        [
            with_message_id(inbound_message(dict(decoded(other.payload)), inbound.channel), other.message_id)
            for other in others
            if other.message_id != inbound.message_id
        ]
    )


def inbound_message(payload: dict[str, Any], channel: str) -> dramatiq.Message[Any]:
    """Make the queue message for an inbound message of a channel. The first channel needs no name."""
    return process_ai_response.message(payload, *(() if channel == "twilio" else (channel,)))


def _hold(inbound: InboundMessage, *, on_behalf_of: str | None = None) -> Hold | None:
    """Take hold of the conversation; return None when the current message can do nothing for it now.

    Parameters:
      on_behalf_of: the id of the message that this one stands in for, if it is not its own. That message may
        hold the conversation still: it expired while it waited for the rest of a burst.
    """
    policy = services().hold_policy
    try:
        hold = services().conversations.hold(
            inbound.conversation,
            _holder(),
            is_live=partial(policy.holder_is_alive, asked_by=on_behalf_of or _message_id()),
        )
    except Uncertain as why:
        _snooze_until_free(inbound, str(why))
        return None
    if hold is None and policy.waiters_may_ack:
        logger.info("conversation is held: its holder looks again before it lets go")
    elif hold is None:
        _snooze_until_free(
            inbound, "conversation is held, and it cannot be told whether by a message that will answer"
        )
    return hold


def _holder() -> str:
    """Return in whose name the current message holds a conversation."""
    return services().hold_policy.holder(_message_id())


def _message_id() -> str:
    message = current_message()
    return "called-directly" if message is None else message.message_id


def _snooze_until_free(inbound: InboundMessage, why: str) -> None:
    """Come back to a held conversation, unless the message was answered meanwhile."""
    waiting, message = services().conversations.unanswered(inbound.conversation), current_message()
    if all(each.message_id != inbound.message_id for each in waiting):
        send_next_reply(inbound.conversation)  # a crash may have come between the reply and its sending
        return
    if message is not None:
        message.options["gathered"] = True  # what is to be gathered has come in by then
    snooze(why)


def _waits_for_the_rest_of_a_burst() -> bool:
    """Put the current message back for REPLY_GATHER_MS, once. It goes on holding its conversation.

    People write in bursts, and one answer to all of it is better than one to its first line. The message
    waits in the queue, so that no worker thread is kept from others meanwhile.
    """
    message, gather_ms = current_message(), services().settings.reply_gather_ms
    if message is None or not gather_ms or message.options.get("gathered"):
        return False
    message.options["gathered"] = True
    services().broker.enqueue(message, delay=gather_ms)  # type: ignore[arg-type]  # a proxy of one
    return True


def _ask_again(no_call: NoCallNow) -> None:
    """Have the message run again when the model may be asked. It did not fail, so no retry is used up."""
    message = current_message()
    if message is None:
        raise Retry(str(no_call), delay=no_call.delay_ms) from no_call
    message.options["gathered"] = True  # what is to be gathered has come in by then
    services().broker.enqueue(message, delay=no_call.delay_ms)  # type: ignore[arg-type]  # a proxy of one
