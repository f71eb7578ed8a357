"""From an inbound message to a written reply."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import dramatiq
import structlog

from brokers.clock import now_ms
from brokers.durable import current_message
from brokers.elastic_threads import waiting

from .answer import Answer
from .channels import Channel, InboundMessage
from .closed_hours import answer_if_closed
from .context import bind_contact
from .conversation import Contact, Conversation, Message, Messages, decoded
from .conversations import Hold, HoldLost, Turn, Utterance
from .deliveries import send_next_reply
from .hold_policy import Uncertain
from .keys import ConversationKey, with_message_id
from .keywords import heed
from .limits import over_a_limit
from .media import Attachments
from .noting import note
from .people import count_hand_over, hand_back_if_silent, note_hand_over
from .reply import ReplyKind
from .responders import ResponderRefused
from .services import services
from .snooze import snooze
from .splitting import split

logger = structlog.get_logger(__name__)

#: How much of a message is quoted that another one replies to, in characters.
MAX_QUOTE = 300


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
    inbound = services().channel(channel).read(payload)
    bind_contact(inbound.contact.address, message_sid=inbound.external_id)
    message = current_message()
    _record_inbound(inbound, received_at=now_ms() if message is None else message.message_timestamp)
    if inbound.keyword is not None:
        heed(inbound)
        return
    hold = _hold(inbound)
    if hold is None:
        return
    if inbound.takes_no_answer or services().is_blocked(inbound.contact.address):
        logger.info("recorded and not answered: its sender takes no answer, or is blocked")
        _answer_until_caught_up(hold, _keep_silent)
    elif not _waits_for_the_rest_of_a_burst():
        _answer_until_caught_up(hold, _answer_with_the_responder)


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
    inbound = services().channel(*message["args"][1:], **message["kwargs"]).read(message["args"][0])
    bind_contact(inbound.contact.address, message_sid=inbound.external_id)
    _record_inbound(inbound, received_at=message["message_timestamp"])
    is_blocked = services().is_blocked(inbound.contact.address)
    takes_fallback = not (inbound.takes_no_answer or inbound.keyword or is_blocked)
    settings = services().profile(inbound.address, inbound.service).settings
    fallback = settings.reply_fallback_text if takes_fallback else None
    if not (inbound.takes_no_answer or is_blocked):
        note("no_answer", inbound.conversation)
    if fallback is None:
        services().conversations.quarantine(inbound)
        if not _requeue_waiters(inbound):
            snooze("snoozed: a concurrent message of this conversation has not finished")
            return
    logger.error("no answer could be produced", fallback=fallback is not None)
    if fallback is not None and (hold := _hold(inbound, on_behalf_of=message["message_id"])) is not None:
        _answer_until_caught_up(hold, partial(_answer_with_the_fallback, fallback=fallback))


def _record_inbound(inbound: InboundMessage, *, received_at: int) -> None:
    """See that an inbound message is in its conversation, and that no other depends on this run."""
    conversations, message = services().conversations, current_message()
    is_new = conversations.append(inbound, received_at=received_at)
    if not is_new and (message is None or not message.options.get("gathered")):
        logger.info("message is known already: a repeated webhook, or a second delivery")
    if message is not None and message.options.get("replayed"):
        conversations.restore(inbound)
    if message is not None and message.delivery.crashes:
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
    message, policy = current_message(), services().hold_policy
    message_id = "called-directly" if message is None else message.message_id
    try:
        hold = services().conversations.hold(
            inbound.conversation,
            policy.holder(message_id),
            is_live=partial(policy.holder_is_alive, asked_by=on_behalf_of or message_id),
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


def _answer_until_caught_up(hold: Hold, answer: Callable[[Hold, Turn], None]) -> None:
    """Answer until nothing is unanswered, then let go.

    Parameters:
      hold: the right to do so.
      answer: writes the answer to a turn, where the assistant answers. Else nothing is said.
    """
    conversations = services().conversations
    history_limit = services().settings.ai_history_messages
    try:
        done = False
        while not done:
            turn = conversations.turn(hold, history_limit=history_limit)
            if turn.unanswered:
                (answer if _assistant_answers(hold, turn) else _keep_silent)(hold, turn)
            # Also when nothing was unanswered: a crash may have come between a reply and its sending.
            send_next_reply(hold.conversation)
            done = conversations.release(hold, unless_more=True)
    except HoldLost:
        snooze("conversation was taken over: its new holder answers, or else this message will")
    except BaseException:
        conversations.release(hold, unless_more=False)
        raise


def _assistant_answers(hold: Hold, turn: Turn) -> bool:
    if turn.mode == "assistant" or (turn.mode == "person" and hand_back_if_silent(hold.conversation)):
        return True
    logger.info("recorded and not answered: the assistant is silent in this conversation", mode=turn.mode)
    return False


def _answer_with_the_responder(hold: Hold, turn: Turn) -> None:
    channel = services().channel(turn.channel)
    latest = channel.read(decoded(turn.unanswered[-1].payload))
    profile = services().profile(latest.address, latest.service)
    if profile.hours is not None and answer_if_closed(hold, turn, profile.hours):
        return
    if (why := over_a_limit(hold, turn)) is not None:
        note_hand_over(hold.conversation, why, asked_by="limit")
        _keep_silent(hold, turn)
        return
    with services().media.opened() as attachments:
        turn = services().understanding.of(turn, channel, attachments, services().conversations)
        conversation = as_conversation(hold, turn, channel, attachments, language=profile.language)
        with waiting():
            answer = services().responder_of(profile).respond(conversation)
    if answer.hand_over is not None:
        note("handed_over", hold.conversation, quote=answer.hand_over)
    services().conversations.answer(
        hold,
        turn,
        *_bodies(answer, channel),
        kind=_kind(answer),
        content=answer.content,
        usage=answer.usage,
        metadata=answer.metadata,
        hand_over=answer.hand_over,
    )
    if answer.hand_over is not None:
        count_hand_over(answer.hand_over, asked_by="responder")


def _kind(answer: Answer) -> ReplyKind:
    if answer.is_silence:
        return "silence"
    return "answer" if answer.hand_over is None else "hand_over"


def _keep_silent(hold: Hold, turn: Turn) -> None:
    services().conversations.answer(hold, turn, "", kind="silence")


def _answer_with_the_fallback(hold: Hold, turn: Turn, *, fallback: str) -> None:
    services().conversations.answer(hold, turn, fallback, kind="fallback")


def as_conversation(
    hold: Hold, turn: Turn, channel: Channel, attachments: Attachments, *, language: str | None = None
) -> Conversation:
    """Make what a responder is given of what is stored."""
    key = ConversationKey.read(hold.conversation)
    latest = channel.read(decoded(turn.unanswered[-1].payload))
    to_message = partial(_message, channel=channel, attachments=attachments)

    def to_message_with_quote(said: Utterance) -> Message:
        message = to_message(said)
        quoted = message.reply_to and services().conversations.text_of(key.account, message.reply_to)
        if not quoted:
            return message
        return replace(message, text=f'[in reply to: "{_short(quoted)}"]\n{message.text}')

    return Conversation(
        contact=Contact(key.contact, latest.contact.name),
        address=key.address,
        account=key.account,
        channel=turn.channel,
        history=Messages(turn.history, to_message),
        unanswered=Messages(turn.unanswered, to_message_with_quote),
        metadata=turn.metadata,
        language=language,
    )


def _short(text: str) -> str:
    """Quote no more of a message than it takes to know which one is meant."""
    return text if len(text) <= MAX_QUOTE else text[: MAX_QUOTE - 1] + "…"


def _message(said: Utterance, *, channel: Channel, attachments: Attachments) -> Message:
    """Make a message of what is stored of it. Its text is the one that was stored."""
    if said.payload is None:
        return Message(said.author, said.text, at_ms=said.at_ms, message_id=said.message_id)
    inbound = channel.read(decoded(said.payload))
    media = attachments.of(inbound, at_ms=said.at_ms)
    return replace(inbound.as_message(at_ms=said.at_ms, text=said.text), media=media)


def _bodies(answer: Answer, channel: Channel) -> list[str]:
    """Return the texts to send, or what stands in their place where there is none."""
    if answer.template is None:
        return _parts(answer.texts, channel.max_characters) or [""]
    shown = ", ".join(answer.template.variables.values())
    return list(answer.texts) or [f"[template {answer.template.sid}: {shown}]"]


def _parts(texts: Sequence[str], limit: int) -> list[str]:
    """Split what the channel would refuse. What is beyond the parts that an answer may have is cut off."""
    most = services().settings.reply_max_parts
    parts = [part for text in texts for part in split(text, limit, most=most)]
    if any(len(text) > limit * most for text in texts) or len(parts) > most:
        logger.warning("answer cut off: it is longer than REPLY_MAX_PARTS messages", parts=most)
    return parts[:most]
