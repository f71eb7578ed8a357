"""Reads what the conversations' scripts on a Redis server answer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from ..channels.channel import FIRST_CHANNEL
from ..conversation import Mode, decoded
from ..reply import Content, Reply, ReplyState
from .redis_calls import author, exact, optional, text
from .turn import Answered, Rest, Turn, Utterance


def as_it_is(answer: Any) -> Any:
    return answer


def nothing(_: Any) -> None:
    return None


def is_one(answer: int | bytes) -> bool:
    return int(answer) == 1


def counts(answer: list[int]) -> tuple[int, int]:
    answers, tokens = answer
    return answers, tokens


def mode_of(value: bytes) -> Mode:
    return cast(Mode, text(value))


def turn_of(answer: list[Any] | None) -> Turn | None:
    if answer is None:
        return None
    channel, metadata, mode, unanswered, history, paused_ms = answer
    return Turn(
        channel=text(channel) or FIRST_CHANNEL,
        history=utterances(reversed(history)),
        unanswered=utterances(unanswered),
        metadata=decoded(text(metadata) or None),
        mode=mode_of(mode),
        calls_paused_ms=int(paused_ms),
    )


def utterances(answer: Iterable[list[Any]]) -> list[Utterance]:
    return [
        Utterance(
            *(author(by), text(said), int(at), exact(message_id)),
            payload=None if payload is None else exact(payload),
            state=cast(ReplyState, text(state[0])) if state else None,
        )
        for by, said, at, message_id, payload, *state in answer
    ]


def reply_of(answer: list[Any] | None) -> Reply | None:
    if answer is None:
        return None
    reply_id, conversation, channel, *texts, received_at, written_at, sending_at = answer[:-9]
    sid, status, error, mode, reason, written_by, content, times_sent_again, heard_at = answer[-9:]
    return Reply._make(
        (
            *(text(reply_id), text(conversation), text(channel) or FIRST_CHANNEL, *map(text, texts)),
            *(int(received_at), int(written_at), number(sending_at)),
            *map(optional, (sid, status, error)),
            *(mode_of(mode), optional(reason), optional(written_by)),
            *(Content.read(optional(content)), int(times_sent_again or 0), number(heard_at)),
        )
    )


def answered_of(answer: list[Any] | None) -> Answered | None:
    if answer is None:
        return None
    shown, rest = answer
    return Answered(cast(Reply, reply_of(shown)), None if rest is None else rest_of(rest))


def rest_of(answer: list[Any]) -> Rest:
    is_done, to_send = answer
    return Rest(bool(is_done), optional(to_send))


def number(value: bytes | None) -> int | None:
    return None if value is None else int(value)
