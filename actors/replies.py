"""From an inbound message to a written reply."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import dramatiq
import structlog

from brokers.clock import now_ms
from brokers.durable import message_in_hand
from ops.foundation.settings import Settings

from .ai import Completion, ResponderRefused, ResponderUnavailable
from .context import about_contact
from .conversations import Hold, HoldLost, Turn
from .deliveries import send_next_reply
from .later import come_back
from .messages import InboundMessage
from .metrics import metrics
from .named import named
from .oversight import Uncertain
from .services import services
from .spans import calling, note

logger = structlog.get_logger(__name__)

#: Twilio's longest body, in characters (error 21617 beyond it).
MAX_BODY = 1_600


def worth_a_retry(retries: int, error: BaseException) -> bool:
    """What was refused stays refused; all else may pass."""
    return not isinstance(error, ResponderRefused) and retries < services().settings.message_max_retries


@dramatiq.actor(queue_name="messages", retry_when=worth_a_retry, on_retry_exhausted="apologise")
def process_ai_response(payload: dict[str, Any]) -> None:
    """Answer an inbound message, and whatever else its contact wrote that is unanswered.

    Parameters:
      payload: the parameters of Twilio's webhook.
    """
    inbound = InboundMessage.from_twilio(payload)
    about_contact(inbound.contact, message_sid=inbound.message_sid)
    if inbound.is_opt_out:
        logger.info("opt-out keyword: Twilio answers it")
        return
    message = message_in_hand()
    _take_in(inbound, received_at=now_ms() if message is None else message.message_timestamp)
    hold = _hold(inbound)
    if hold is not None and not _waits_for_the_rest_of_a_burst():
        _while_held(hold, _answer_with_the_model)


@dramatiq.actor(queue_name="messages", priority=10)
def apologise(message: dict[str, Any], info: dict[str, Any]) -> None:  # noqa: ARG001
    """See to a message that could not be answered and is a dead letter by now.

    With a fallback text, the contact is told that, for everything unanswered. Without one, the message is
    set aside, so that it does not spoil the turns to come, and what else is unanswered is tried by itself.

    Parameters:
      message: the `process_ai_response` message that failed for good, or expired before it was ever run.
      info: how often it was tried.
    """
    inbound = InboundMessage.from_twilio(message["args"][0])
    about_contact(inbound.contact, message_sid=inbound.message_sid)
    if inbound.is_opt_out:
        return
    _take_in(inbound, received_at=message["message_timestamp"])
    has_fallback = services().settings.reply_fallback_text is not None
    if not has_fallback:
        services().conversations.set_aside(inbound)
        if not _entrust_the_others_to_the_queue(inbound):
            come_back("another message is being run, and may just have counted on this one")
            return
    logger.error("no answer could be produced", fallback=has_fallback)
    if has_fallback and (hold := _hold(inbound, on_behalf_of=message["message_id"])) is not None:
        _while_held(hold, _answer_with_the_fallback)


def _take_in(inbound: InboundMessage, *, received_at: int) -> None:
    """See that an inbound message is in its conversation, and that no other depends on this run."""
    conversations, message = services().conversations, message_in_hand()
    if not conversations.append(inbound, received_at=received_at):
        logger.info("message is known already: a repeated webhook, or a second delivery")
    if message is not None and message.options.get("replayed"):
        conversations.take_up(inbound)
    if message is not None and message.delivery.crashes:
        # Others may have left this conversation to us before the crash. Should we never finish, they must
        # not be forgotten with us.
        _entrust_the_others_to_the_queue(inbound)


def _entrust_the_others_to_the_queue(inbound: InboundMessage) -> bool:
    """Give each other unanswered message of the conversation a queue message of its own again.

    Returns False when one was found running: it is the one of before, perhaps, and about to be done.
    """
    others = services().conversations.unanswered(inbound.conversation)
    return services().oversight.entrust(
        [
            named(process_ai_response.message(dict(other.payload)), other.message_id)
            for other in others
            if other.message_sid != inbound.message_sid
        ]
    )


def _hold(inbound: InboundMessage, *, on_behalf_of: str | None = None) -> Hold | None:
    """The conversation, or None when this message can do nothing for it now.

    Parameters:
      on_behalf_of: the id of the message that this one stands in for, if it is not its own. That message may
        hold the conversation still: it expired while it waited for the rest of a burst.
    """
    message, oversight = message_in_hand(), services().oversight
    message_id = "called-directly" if message is None else message.message_id
    try:
        hold = services().conversations.hold(
            inbound.conversation,
            oversight.holder(message_id),
            is_live=partial(oversight.is_live, asked_by=on_behalf_of or message_id),
        )
    except Uncertain as why:
        _look_again(inbound, str(why))
        return None
    if hold is None and oversight.holder_sees_to_it:
        logger.info("conversation is held: its holder looks again before it lets go")
    elif hold is None:
        _look_again(
            inbound, "conversation is held, and nobody can tell whether by a message that will answer"
        )
    return hold


def _look_again(inbound: InboundMessage, why: str) -> None:
    """Come back to a held conversation, unless the message was answered meanwhile."""
    waiting, message = services().conversations.unanswered(inbound.conversation), message_in_hand()
    if all(each.message_sid != inbound.message_sid for each in waiting):
        send_next_reply(inbound.conversation)  # a crash may have come between the reply and its sending
        return
    if message is not None:
        message.options["gathered"] = True  # what is to be gathered has come in by then
    come_back(why)


def _waits_for_the_rest_of_a_burst() -> bool:
    """Put the message in hand back for REPLY_GATHER_MS, once. It goes on holding its conversation.

    People write in bursts, and one answer to all of it is better than one to its first line. The message
    waits in the queue, so that no worker thread is kept from others meanwhile.
    """
    message, gather_ms = message_in_hand(), services().settings.reply_gather_ms
    if message is None or not gather_ms or message.options.get("gathered"):
        return False
    message.options["gathered"] = True
    services().broker.enqueue(message, delay=gather_ms)  # type: ignore[arg-type]  # a proxy of one
    return True


def _while_held(hold: Hold, answer: Callable[[Hold, Turn], None]) -> None:
    """Answer until nothing is unanswered, then let go."""
    conversations = services().conversations
    history_limit = services().settings.ai_history_messages
    try:
        done = False
        while not done:
            turn = conversations.turn(hold, history_limit=history_limit)
            if turn.unanswered:
                answer(hold, turn)
            # Also when nothing was unanswered: a crash may have come between a reply and its sending.
            send_next_reply(hold.conversation)
            done = conversations.release(hold, unless_more=True)
    except HoldLost:
        come_back("conversation was taken over: whoever holds it answers, or else this one will")
    except BaseException:
        conversations.release(hold, unless_more=False)
        raise


def _answer_with_the_model(hold: Hold, turn: Turn) -> None:
    completion = _ask(turn)
    services().conversations.answer(
        hold, turn, _fit(completion.text), kind="answer", tokens=completion.tokens
    )


def _answer_with_the_fallback(hold: Hold, turn: Turn) -> None:
    services().conversations.answer(
        hold, turn, services().settings.reply_fallback_text or "", kind="fallback"
    )


def _ask(turn: Turn) -> Completion:
    provider = services().settings.ai_provider
    try:
        with metrics().ai_seconds.labels(provider).time(), _chat_span(services().settings):
            completion = services().responder.respond(turn.history, turn.unanswered)
            note(
                {
                    "gen_ai.response.model": completion.model,
                    "gen_ai.usage.input_tokens": completion.prompt_tokens,
                    "gen_ai.usage.output_tokens": completion.completion_tokens,
                }
            )
    except Exception as error:
        metrics().ai_requests.labels(provider, _outcome(error)).inc()
        metrics().ai_errors.labels(provider, type(error).__name__).inc()
        logger.warning("no answer from the responder", error=str(error))
        raise
    metrics().ai_requests.labels(provider, "answered").inc()
    for kind, tokens in (("prompt", completion.prompt_tokens), ("completion", completion.completion_tokens)):
        metrics().ai_tokens.labels(completion.model, kind).inc(tokens or 0)
    logger.info("answered", messages=len(turn.unanswered), model=completion.model, tokens=completion.tokens)
    return completion


def _outcome(error: Exception) -> str:
    """What the metrics call it."""
    match error:
        case ResponderUnavailable():
            return "unavailable"
        case ResponderRefused():
            return "refused"
        case _:
            return "failed"


def _chat_span(settings: Settings) -> AbstractContextManager[None]:
    """By OpenTelemetry's conventions for generative AI, without what was said."""
    model = settings.ai_model or settings.ai_provider
    return calling(
        f"chat {model}",
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": settings.ai_provider,
            "gen_ai.request.model": model,
            "gen_ai.request.max_tokens": settings.ai_max_tokens,
            "server.address": urlsplit(settings.ai_base_url or "").hostname,
        },
    )


def _fit(text: str) -> str:
    """Cut what Twilio would refuse, at a word if there is one."""
    if len(text) <= MAX_BODY:
        return text
    cut = text[: MAX_BODY - 1]
    return (cut[: cut.rfind(" ")] if " " in cut[MAX_BODY // 2 :] else cut) + "…"
