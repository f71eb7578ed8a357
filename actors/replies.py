"""From an inbound message to a written reply."""

from __future__ import annotations

from typing import Any

import dramatiq
import structlog
from dramatiq.middleware import CurrentMessage

from .ai import Completion, ResponderRefused
from .conversations import Hold, HoldLost, Turn
from .deliveries import send_next_reply
from .measures import AI_FAILURES, AI_SECONDS, AI_TOKENS
from .messages import InboundMessage, masked
from .services import services

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
    if inbound.is_opt_out:
        logger.info("opt-out keyword: Twilio answers it", contact=masked(inbound.contact))
        return
    conversations = services().conversations
    with structlog.contextvars.bound_contextvars(
        contact=masked(inbound.contact), message_sid=inbound.message_sid
    ):
        if not conversations.append(inbound):
            logger.info("message is known already: a repeated webhook, or a second delivery")
        hold = _hold(inbound.conversation)
        if hold is None:
            logger.info("conversation is held: its holder looks again before it lets go")
            return
        try:
            _answer_until_nothing_is_left(hold)
        except HoldLost:
            logger.warning("conversation was taken over: whoever holds it answers")
        except BaseException:
            conversations.release(hold, unless_more=False)
            raise


@dramatiq.actor(queue_name="messages", priority=10)
def apologise(message: dict[str, Any], info: dict[str, Any]) -> None:  # noqa: ARG001
    """Say the fallback text, if there is one, to a contact whom nothing could be answered.

    Parameters:
      message: the `process_ai_response` message that failed for good; it is a dead letter by now.
      info: how often it was tried.
    """
    inbound = InboundMessage.from_twilio(message["args"][0])
    text = services().settings.reply_fallback_text
    logger.error("no answer could be produced", contact=masked(inbound.contact), fallback=text is not None)
    conversations = services().conversations
    hold = _hold(inbound.conversation) if text else None
    if hold is None or not text:
        return
    try:
        done = False
        while not done:  # what comes in meanwhile counts on whoever holds the conversation
            turn = conversations.turn(hold, history_limit=0)
            if turn.unanswered:
                conversations.answer(hold, turn, text, kind="fallback")
            send_next_reply(inbound.conversation)
            done = conversations.release(hold, unless_more=True)
    except BaseException:
        conversations.release(hold, unless_more=False)
        raise


def _hold(conversation: str) -> Hold | None:
    message = CurrentMessage.get_current_message()
    holder = message.message_id if message is not None else "called-directly"
    return services().conversations.hold(conversation, holder, is_live=services().broker.is_live)


def _answer_until_nothing_is_left(hold: Hold) -> None:
    conversations, settings = services().conversations, services().settings
    done = False
    while not done:
        turn = conversations.turn(hold, history_limit=settings.ai_history_messages)
        if turn.unanswered:
            completion = _ask(turn)
            conversations.answer(hold, turn, _fit(completion.text), kind="answer", tokens=completion.tokens)
        # Also when this found nothing unanswered: a crash may have come between a reply and its sending.
        send_next_reply(hold.conversation)
        done = conversations.release(hold, unless_more=True)


def _ask(turn: Turn) -> Completion:
    provider = services().settings.ai_provider
    try:
        with AI_SECONDS.labels(provider).time():
            completion = services().responder.respond(turn.history, turn.unanswered)
    except Exception as error:
        AI_FAILURES.labels(provider, type(error).__name__).inc()
        logger.warning("no answer from the responder", error=str(error))
        raise
    for kind, tokens in (("prompt", completion.prompt_tokens), ("completion", completion.completion_tokens)):
        AI_TOKENS.labels(completion.model, kind).inc(tokens or 0)
    logger.info("answered", messages=len(turn.unanswered), model=completion.model, tokens=completion.tokens)
    return completion


def _fit(text: str) -> str:
    """Cut what Twilio would refuse, at a word if there is one."""
    if len(text) <= MAX_BODY:
        return text
    cut = text[: MAX_BODY - 1]
    return (cut[: cut.rfind(" ")] if " " in cut[MAX_BODY // 2 :] else cut) + "…"
