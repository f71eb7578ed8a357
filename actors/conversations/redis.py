"""Conversations on a Redis server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

from brokers.redis.commands import Command
from brokers.redis.database import Database, base_of
from brokers.redis.options import RedisOptions
from brokers.redis.scripts import CHECK, Argument, new_call

from ..answer import Usage
from ..channels.channel import FIRST_CHANNEL, DeliveryStatus, InboundMessage
from ..conversation import Mode, decoded
from ..keys import ConversationKey, MessageId, opt_out_digest
from ..reply import NOTHING_ELSE, Content, DecidedState, Reply, ReplyKind, ReplyState
from . import scripts
from .keeper import OPTED_OUT_BEFORE
from .redis_calls import Scripts, author, exact, optional, text
from .redis_keeper import RedisConversationKeeper
from .redis_notices import RedisNoticeStore
from .redis_reader import RedisConversationReader
from .store import Hold, HoldLost, Turn, Utterance


class RedisConversationStore:
    """A `ConversationStore` on a Redis or Valkey server, shared by any number of machines.

    Parameters:
      server: the server, or its URL alone.
      namespace: everything is kept under this name, which nothing else may use.
      retention_s: for how many seconds to keep what has come to rest. What is owed is kept until it is
        settled: messages without an answer, replies that are not sent. That a contact has opted out is kept.
      clock: milliseconds since the epoch, where that is not the server's time.
    """

    def __init__(
        self,
        server: RedisOptions | str,
        *,
        namespace: str = "recado-conversations",
        retention_s: float = 30 * 86_400,
        clock: Callable[[], int] | None = None,
    ) -> None:
        self._database = Database(server, base=base_of(namespace))
        self._scripts = Scripts(self._database, retention_ms=int(retention_s * 1000), clock=clock)

    @property
    def reader(self) -> RedisConversationReader:
        """What people look at."""
        return RedisConversationReader(self._scripts)

    @property
    def notices(self) -> RedisNoticeStore:
        """The events that people are told of."""
        return RedisNoticeStore(self._scripts)

    @property
    def keeper(self) -> RedisConversationKeeper:
        """Exports, erases, and sees to what is old."""
        return RedisConversationKeeper(self._scripts)

    # -- what comes in ------------------------------------------------------------------------------

    def append(self, message: InboundMessage, *, received_at: int) -> bool:
        arguments = (
            *(new_call(), message.message_id, message.conversation),
            *(*ConversationKey.read(message.conversation), message.channel, message.external_id),
            *(message.text, json.dumps(dict(message.payload), ensure_ascii=False), received_at),
            message.contact.name or "",
            *(opt_out_digest(message.conversation), OPTED_OUT_BEFORE),
        )
        return self._scripts.change(scripts.APPEND, *arguments, read=bool)

    def begin(self, conversation: str, channel: str) -> None:
        opt_out = (opt_out_digest(conversation), OPTED_OUT_BEFORE)
        about = (*ConversationKey.read(conversation), channel, *opt_out)
        self._scripts.change(scripts.BEGIN, conversation, *about, read=_nothing)

    def quarantine(self, message: InboundMessage) -> None:
        self._scripts.change(scripts.QUARANTINE, message.message_id, 1, read=_nothing)

    def restore(self, message: InboundMessage) -> None:
        self._scripts.change(scripts.QUARANTINE, message.message_id, 0, read=_nothing)

    def describe(self, message_id: str, text: str) -> None:
        self._scripts.change(scripts.DESCRIBE, message_id, text, read=_nothing)

    def unanswered(self, conversation: str) -> Sequence[Utterance]:
        return self._scripts.ask(scripts.UNANSWERED, conversation, read=_utterances)

    # -- answering ----------------------------------------------------------------------------------

    def hold(self, conversation: str, holder: str, *, is_live: Callable[[str], bool]) -> Hold | None:
        def take(void: str | bytes) -> Any:
            return self._scripts.change(scripts.HOLD, conversation, holder, void, read=_as_it_is)

        answer = take(void=holder)
        if isinstance(answer, bytes) and not is_live(text(answer)):
            answer = take(void=answer)
        return Hold(conversation, answer) if isinstance(answer, int) else None

    def turn(self, hold: Hold, *, history_limit: int) -> Turn:
        turn = self._scripts.ask(scripts.TURN, hold.conversation, history_limit, read=_turn)
        if turn is None:
            raise HoldLost(hold.conversation)
        return turn

    def answer(
        self,
        hold: Hold,
        turn: Turn,
        *bodies: str,
        kind: ReplyKind,
        content: Content = NOTHING_ELSE,
        usage: Usage | None = None,
        metadata: Mapping[str, Any] | None = None,
        hand_over: str | None = None,
    ) -> Reply:
        kept = "" if metadata is None else json.dumps(dict(metadata), ensure_ascii=False)
        replies: list[Argument] = []
        for body in bodies:
            replies += (uuid.uuid4().hex, body)
        arguments = (
            *(hold.conversation, hold.fence, kind, str(content), *_paid(usage), kept),
            *(hand_over or "", len(bodies), *replies),
            *(utterance.message_id for utterance in turn.unanswered),
        )
        reply = self._scripts.change(scripts.ANSWER, *arguments, read=_reply)
        if reply is None:
            raise HoldLost(hold.conversation)
        return reply

    def set_mode(self, conversation: str, mode: Mode, reason: str, *, opts_in: bool = False) -> bool:
        arguments = (conversation, mode, reason, int(opts_in), opt_out_digest(conversation))
        return self._scripts.change(scripts.SET_MODE, *arguments, read=_is_one)

    def write(
        self,
        conversation: str,
        reply_id: str,
        text: str,
        *,
        kind: ReplyKind,
        written_by: str | None = None,
        answers: str | None = None,
        content: Content = NOTHING_ELSE,
    ) -> Reply | None:
        arguments = (conversation, reply_id, text, kind, written_by or "", answers or "", str(content))
        return self._scripts.change(scripts.WRITE, *arguments, read=_reply)

    def hand_back(self, conversation: str, *, silent_since: int) -> bool:
        return self._scripts.change(scripts.HAND_BACK, conversation, silent_since, read=_is_one)

    def answers_since(self, conversation: str, since: int) -> tuple[int, int]:
        return self._scripts.ask(scripts.ANSWERS_SINCE, conversation, since, read=_counts)

    def mode(self, conversation: str) -> Mode:
        return self._scripts.ask(scripts.MODE, conversation, read=_mode)

    def release(self, hold: Hold, *, unless_more: bool) -> bool:
        return self._scripts.change(
            scripts.RELEASE, hold.conversation, hold.fence, int(unless_more), read=bool
        )

    # -- sending ------------------------------------------------------------------------------------

    def next_to_send(self, conversation: str) -> Reply | None:
        return self._scripts.ask(scripts.NEXT_TO_SEND, conversation, read=_reply)

    def begin_sending(
        self, reply_id: str, *, attempt: int | None = None, void: Sequence[int] = ()
    ) -> Reply | None:
        named = "" if attempt is None else attempt
        return self._scripts.change(scripts.BEGIN_SENDING, new_call(), reply_id, named, *void, read=_reply)

    def record_sent(self, reply_id: str, external_id: str, *, segments: int | None = None) -> None:
        arguments = (reply_id, external_id, "" if segments is None else segments)
        self._scripts.change(scripts.RECORD_SENT, *arguments, read=_nothing)

    def record_not_sent(self, reply_id: str, error: str, *, final: bool) -> None:
        self._record(reply_id, "failed" if final else "pending", error)

    def record_unknown(self, reply_id: str, error: str) -> None:
        self._record(reply_id, "unknown", error)

    def _record(self, reply_id: str, state: ReplyState, error: str) -> None:
        self._scripts.change(scripts.RECORD_FAILURE, new_call(), reply_id, state, error, read=_nothing)

    def record_cancelled(self, reply_id: str, why: str) -> None:
        self._record(reply_id, "cancelled", why)

    def record_delivery(self, reply_id: str, status: DeliveryStatus) -> bool:
        arguments = (
            new_call(),
            reply_id,
            status.external_id,
            status.status,
            status.rank,
            int(status.is_failure),
        )
        errors = () if status.error is None else (status.error,)
        return self._scripts.change(scripts.RECORD_DELIVERY, *arguments, *errors, read=_is_one)

    def decide(self, reply_id: str, state: DecidedState, *, by: str) -> Reply | None:
        return self._scripts.change(scripts.DECIDE, new_call(), reply_id, state, by, read=_reply)

    def dismiss(self, entry_id: str, *, by: str) -> bool:
        return self._scripts.change(scripts.DISMISS, new_call(), entry_id, by, read=_is_one)

    def pace(self, sender: str, *, interval_ms: float) -> int:
        return self._scripts.change(scripts.PACE, sender, str(interval_ms), read=int)

    def reply(self, reply_id: str) -> Reply | None:
        return self._scripts.ask(scripts.REPLY, reply_id, read=_reply)

    def is_known(self, external_id: str) -> bool:
        return self._scripts.ask(scripts.IS_KNOWN, external_id, read=bool)

    def text_of(self, account: str, external_id: str) -> str | None:
        name = str(MessageId(account, external_id))
        return self._scripts.ask(scripts.TEXT_OF, account, external_id, name, read=optional)

    def check(self, *, timeout_s: float) -> None:
        self._database.check(Command(CHECK, read=_nothing), timeout_s=timeout_s)

    def close(self) -> None:
        self._database.close()


def _paid(usage: Usage | None) -> Sequence[Argument]:
    paid = (None, None, None) if usage is None else (usage.model, usage.input_tokens, usage.tokens)
    return ["" if each is None else each for each in paid]


def _as_it_is(answer: Any) -> Any:
    return answer


def _nothing(_: Any) -> None:
    return None


def _is_one(answer: int | bytes) -> bool:
    return int(answer) == 1


def _counts(answer: list[int]) -> tuple[int, int]:
    answers, tokens = answer
    return answers, tokens


def _mode(value: bytes) -> Mode:
    return cast(Mode, text(value))


def _turn(answer: list[Any] | None) -> Turn | None:
    if answer is None:
        return None
    channel, metadata, mode, unanswered, history = answer
    return Turn(
        channel=text(channel) or FIRST_CHANNEL,
        history=_utterances(reversed(history)),
        unanswered=_utterances(unanswered),
        metadata=decoded(text(metadata) or None),
        mode=_mode(mode),
    )


def _utterances(answer: Iterable[list[Any]]) -> list[Utterance]:
    return [
        Utterance(
            *(author(by), text(said), int(at), exact(message_id)),
            payload=None if payload is None else exact(payload),
        )
        for by, said, at, message_id, payload in answer
    ]


def _reply(answer: list[Any] | None) -> Reply | None:
    if answer is None:
        return None
    reply_id, conversation, channel, *texts, received_at, written_at, sending_at = answer[:-9]
    sid, status, error, mode, reason, written_by, content, times_sent_again, heard_at = answer[-9:]
    return Reply._make(
        (
            *(text(reply_id), text(conversation), text(channel) or FIRST_CHANNEL, *map(text, texts)),
            *(int(received_at), int(written_at), _number(sending_at)),
            *map(optional, (sid, status, error)),
            *(_mode(mode), optional(reason), optional(written_by)),
            *(Content.read(optional(content)), int(times_sent_again or 0), _number(heard_at)),
        )
    )


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)
