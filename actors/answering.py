"""Answers what is unanswered in a conversation, while it is held."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import structlog

from brokers.elastic_threads import waiting

from .announcing import announce_mode
from .answer import Answer
from .budget import OVER_BUDGET
from .channels import Channel
from .closed_hours import answer_if_closed
from .conversation import decoded
from .conversations import Hold, HoldLost, Rest, Turn
from .limits import is_budget_used_up, over_a_limit
from .model_call import ModelCall
from .noting import note
from .people import count_hand_over, hand_back_if_silent, note_hand_over
from .reply import ReplyKind
from .reply_queue import enqueue_sending
from .services import services
from .shared_calls import shared_call
from .snooze import snooze
from .splitting import split
from .stored_conversation import as_conversation

logger = structlog.get_logger(__name__)


def answer_until_caught_up(hold: Hold, answer: Callable[[Hold, Turn], Rest | None]) -> None:
    """Answer until nothing is unanswered, then let go.

    Parameters:
      hold: the right to do so.
      answer: writes the answer to a turn, where the assistant answers. Else nothing is said. It returns what
        is left to be done if it let go of the conversation already.
    """
    conversations = services().conversations
    history_limit = services().settings.ai_history_messages
    try:
        is_done = False
        while not is_done:
            logger.debug("what is unanswered is read")
            turn, rest = conversations.turn(hold, history_limit=history_limit), None
            if turn.unanswered:
                rest = (answer if _assistant_answers(hold, turn) else keep_silent)(hold, turn)
            # Also when nothing was unanswered: a crash may have come between a reply and its sending.
            is_done, to_send = conversations.finish(hold) if rest is None else rest
            enqueue_sending(to_send)
    except HoldLost:
        snooze("conversation was taken over: its new holder answers, or else this message will")
    except BaseException:
        conversations.release(hold)
        raise


def _assistant_answers(hold: Hold, turn: Turn) -> bool:
    if turn.mode == "assistant" or (turn.mode == "person" and hand_back_if_silent(hold.conversation)):
        return True
    logger.info("recorded and not answered: the assistant is silent in this conversation", mode=turn.mode)
    return False


def with_the_responder(hold: Hold, turn: Turn) -> Rest | None:
    channel = services().channel(turn.channel)
    latest = channel.read(decoded(turn.unanswered[-1].payload))
    profile = services().profile(latest.address, latest.service)
    if profile.hours is not None and answer_if_closed(hold, turn, profile.hours):
        return None
    if (why := over_a_limit(hold, turn)) is not None:
        return _leave_to_a_person(hold, turn, why, asked_by="limit")
    if is_budget_used_up():
        return _leave_to_a_person(hold, turn, OVER_BUDGET, asked_by="budget")
    with services().media.opened() as attachments:
        turn = services().understanding.of(turn, channel, attachments, services().conversations)
        conversation = as_conversation(hold, turn, channel, attachments, latest, language=profile.language)
        began_s = time.monotonic()
        with shared_call(turn, latest.address), waiting():
            if (indicators := services().typing_indicators) is not None:
                indicators.show(channel, latest)
            answer = services().responder_of(profile).respond(conversation)
    if answer.hand_over is not None:
        note("handed_over", hold.conversation, quote=answer.hand_over)
        announce_mode(
            "conversation.handed_over",
            hold.conversation,
            reason=answer.hand_over,
            asked_by="responder",
            about=turn.unanswered[-1].message_id,
        )
    answered = services().conversations.answer(
        hold,
        turn,
        *_bodies(answer, channel),
        kind=_kind(answer),
        content=answer.content,
        usage=answer.usage,
        call=_model_call(answer, took_s=time.monotonic() - began_s),
        metadata=answer.metadata,
        hand_over=answer.hand_over,
        finish=True,
    )
    if answer.hand_over is not None:
        count_hand_over(answer.hand_over, asked_by="responder")
    is_budget_used_up()  # people are told now, and not when the next contact writes
    return answered.rest


def with_the_fallback(hold: Hold, turn: Turn, *, fallback: str) -> Rest | None:
    return services().conversations.answer(hold, turn, fallback, kind="fallback", finish=True).rest


def keep_silent(hold: Hold, turn: Turn) -> Rest | None:
    return services().conversations.answer(hold, turn, "", kind="silence", finish=True).rest


def _leave_to_a_person(hold: Hold, turn: Turn, why: str, *, asked_by: str) -> Rest | None:
    note_hand_over(hold.conversation, why, asked_by=asked_by)
    return keep_silent(hold, turn)


def _model_call(answer: Answer, *, took_s: float) -> ModelCall:
    """Make what is kept of how an answer came about."""
    parts = services()
    return ModelCall(
        took_ms=int(took_s * 1_000),
        cost=None if answer.usage is None else parts.prices.of_tokens(answer.usage),
        prompt=answer.prompt if parts.settings.ai_keep_prompts else "",
        tool_calls=answer.tool_calls,
    )


def _kind(answer: Answer) -> ReplyKind:
    if answer.is_silence:
        return "silence"
    return "answer" if answer.hand_over is None else "hand_over"


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
