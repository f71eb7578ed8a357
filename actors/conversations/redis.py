"""Conversations on a Redis server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from brokers.redis.commands import Command
from brokers.redis.database import Database, base_of
from brokers.redis.options import RedisOptions
from brokers.redis.scripts import CHECK, Argument, new_call
from brokers.redis.shards import agree, namespaces

from ..answer import Usage
from ..channels.channel import DeliveryStatus, InboundMessage
from ..conversation import Mode
from ..keys import ConversationKey, KnownContact, MessageId, contact_digest, opt_out_digest
from ..model_call import NO_CALL, ModelCall
from ..reply import NOTHING_ELSE, Content, DecidedState, Reply, ReplyKind, ReplyState
from . import scripts
from .keeper import OPTED_OUT_BEFORE
from .redis_answers import (
    answered_of,
    as_it_is,
    counts,
    is_one,
    mode_of,
    nothing,
    reply_of,
    rest_of,
    turn_of,
    utterances,
)
from .redis_calls import Scripts, exact, optional, text
from .redis_delivery_checks import RedisDeliveryChecks
from .redis_keeper import RedisConversationKeeper
from .redis_notices import RedisNoticeStore
from .redis_reader import RedisConversationReader
from .redis_search import RedisConversationFinder
from .redis_shared_calls import RedisSharedCalls
from .redis_usage import RedisUsageReader
from .search import folded
from .sharded import ShardedConversationStore
from .turn import Answered, Hold, HoldLost, Rest, Turn, Utterance, answered_with


class RedisConversationStore:
    """A `ConversationStore` on a Redis or Valkey server, shared by any number of machines.

    Parameters:
      server: the server, or its URL alone.
      namespace: everything is kept under this name, which nothing else may use.
      retention_s: for how many seconds to keep what has come to rest. What is owed is kept until it is
        settled: messages without an answer, replies that are not sent. That a contact has opted out is kept.
      clock: milliseconds since the epoch, where that is not the server's time.
      shard: the number of this store, where it is one of several. It ends the ids of replies.
    """

    def __init__(
        self,
        server: RedisOptions | str,
        *,
        namespace: str = "recado-conversations",
        retention_s: float = 30 * 86_400,
        clock: Callable[[], int] | None = None,
        shard: int | None = None,
    ) -> None:
        self._shard = shard
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
    def shared_calls(self) -> RedisSharedCalls:
        """The calls of the model that all workers share."""
        return RedisSharedCalls(self._scripts)

    @property
    def delivery_checks(self) -> RedisDeliveryChecks:
        """The sent replies that the channel is asked about."""
        return RedisDeliveryChecks(self._scripts, reply=self.reply)

    @property
    def usage(self) -> RedisUsageReader:
        """What was used."""
        return RedisUsageReader(self._scripts)

    @property
    def keeper(self) -> RedisConversationKeeper:
        """Exports, erases, and sees to what is old."""
        return RedisConversationKeeper(self._scripts)

    @property
    def search(self) -> RedisConversationFinder:
        """Finds contacts and texts."""
        return RedisConversationFinder(self._scripts)

    # -- what comes in ------------------------------------------------------------------------------

    def append(self, message: InboundMessage, *, received_at: int) -> bool:
        is_new, _ = self._append(message, received_at)
        return is_new

    def append_and_hold(
        self, message: InboundMessage, *, received_at: int, holder: str
    ) -> tuple[bool, Hold | None]:
        is_new, fence = self._append(message, received_at, holder)
        return is_new, Hold(message.conversation, fence) if isinstance(fence, int) else None

    def _append(self, message: InboundMessage, received_at: int, holder: str = "") -> tuple[bool, Any]:
        """Append a message, and take the hold for a holder; return whether it is new, and the fence."""
        arguments = (
            *(new_call(), message.message_id, message.conversation),
            *(*ConversationKey.read(message.conversation), message.channel, message.external_id),
            *(message.text, json.dumps(dict(message.payload), ensure_ascii=False), received_at),
            message.contact.name or "",
            *(opt_out_digest(message.conversation), OPTED_OUT_BEFORE),
            *(folded(message.contact.name or ""), message.contact.address, holder),
        )
        is_new, fence = self._scripts.change(scripts.APPEND, *arguments, read=as_it_is)
        return bool(is_new), fence

    def known_as(self, message: InboundMessage) -> str:
        key, contact_id = ConversationKey.read(message.conversation), message.contact.id or ""
        opt_out = (opt_out_digest(message.conversation), OPTED_OUT_BEFORE)
        named = (contact_id, contact_digest(key.account, key.address, contact_id))
        about = (message.conversation, *key, message.channel, *opt_out, *named)
        # The message is appended next, and that is durable only with all that the server did before.
        return self._scripts.note(scripts.KNOWN_AS, *about, read=exact)

    def begin(self, conversation: str, channel: str) -> None:
        opt_out = (opt_out_digest(conversation), OPTED_OUT_BEFORE)
        about = (*ConversationKey.read(conversation), channel, *opt_out)
        self._scripts.change(scripts.BEGIN, conversation, *about, read=nothing)

    def quarantine(self, message: InboundMessage) -> None:
        self._scripts.change(scripts.QUARANTINE, message.message_id, 1, read=nothing)

    def restore(self, message: InboundMessage) -> None:
        self._scripts.change(scripts.QUARANTINE, message.message_id, 0, read=nothing)

    def describe(self, message_id: str, text: str) -> None:
        self._scripts.change(scripts.DESCRIBE, message_id, text, read=nothing)

    def unanswered(self, conversation: str) -> Sequence[Utterance]:
        return self._scripts.ask(scripts.UNANSWERED, conversation, read=utterances)

    # -- answering ----------------------------------------------------------------------------------

    def hold(self, conversation: str, holder: str, *, is_live: Callable[[str], bool]) -> Hold | None:
        def take(void: str | bytes) -> Any:
            return self._scripts.change(scripts.HOLD, conversation, holder, void, read=as_it_is)

        answer = take(void=holder)
        if isinstance(answer, bytes) and not is_live(text(answer)):
            answer = take(void=answer)
        return Hold(conversation, answer) if isinstance(answer, int) else None

    def turn(self, hold: Hold, *, history_limit: int) -> Turn:
        turn = self._scripts.ask(scripts.TURN, hold.conversation, history_limit, read=turn_of)
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
        call: ModelCall = NO_CALL,
        metadata: Mapping[str, Any] | None = None,
        hand_over: str | None = None,
        finish: bool = False,
    ) -> Answered:
        kept = "" if metadata is None else json.dumps(dict(metadata), ensure_ascii=False)
        replies: list[Argument] = []
        for body in bodies:
            replies += (self._reply_id(), body)
        arguments = (
            *(hold.conversation, hold.fence, kind, str(content), *_paid(usage, call)),
            *(kept, hand_over or "", int(finish), len(bodies), *replies),
            *(utterance.message_id for utterance in turn.unanswered),
        )
        answered = self._scripts.change(scripts.ANSWER, *arguments, read=answered_of)
        if answered is None:
            raise HoldLost(hold.conversation)
        return answered

    def _reply_id(self) -> str:
        return uuid.uuid4().hex if self._shard is None else f"{uuid.uuid4().hex}.{self._shard}"

    def finish(self, hold: Hold) -> Rest:
        return self._scripts.change(scripts.FINISH, hold.conversation, hold.fence, read=rest_of)

    def set_mode(self, conversation: str, mode: Mode, reason: str, *, opts_in: bool = False) -> bool:
        arguments = (conversation, mode, reason, int(opts_in), opt_out_digest(conversation))
        return self._scripts.change(scripts.SET_MODE, *arguments, read=is_one)

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
        return self._scripts.change(scripts.WRITE, *arguments, read=reply_of)

    def hand_back(self, conversation: str, *, silent_since: int, reason: str | None = None) -> bool:
        arguments = (conversation, silent_since, reason or "")
        return self._scripts.change(scripts.HAND_BACK, *arguments, read=is_one)

    def answers_since(self, conversation: str, since: int) -> tuple[int, int]:
        return self._scripts.ask(scripts.ANSWERS_SINCE, conversation, since, read=counts)

    def mode(self, conversation: str) -> Mode:
        return self._scripts.ask(scripts.MODE, conversation, read=mode_of)

    def release(self, hold: Hold) -> None:
        self._scripts.change(scripts.RELEASE, hold.conversation, hold.fence, read=nothing)

    # -- sending ------------------------------------------------------------------------------------

    def next_to_send(self, conversation: str) -> str | None:
        return self._scripts.ask(scripts.NEXT_TO_SEND, conversation, read=optional)

    def begin_sending(
        self, reply_id: str, *, attempt: int | None = None, void: Sequence[int] = ()
    ) -> Reply | None:
        named = "" if attempt is None else attempt
        return self._scripts.change(scripts.BEGIN_SENDING, new_call(), reply_id, named, *void, read=reply_of)

    def record_sent(
        self, reply_id: str, external_id: str, *, segments: int | None = None, cost: int = 0
    ) -> str | None:
        arguments = (reply_id, external_id, "" if segments is None else segments, cost)
        return self._scripts.change(scripts.RECORD_SENT, *arguments, read=optional)

    def record_not_sent(self, reply_id: str, error: str, *, final: bool) -> None:
        self._record(reply_id, "failed" if final else "pending", error)

    def record_unknown(self, reply_id: str, error: str) -> None:
        self._record(reply_id, "unknown", error)

    def _record(self, reply_id: str, state: ReplyState, error: str) -> None:
        self._scripts.change(scripts.RECORD_FAILURE, new_call(), reply_id, state, error, read=nothing)

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
            int(status.is_final),
        )
        errors = () if status.error is None else (status.error,)
        return self._scripts.change(scripts.RECORD_DELIVERY, *arguments, *errors, read=is_one)

    def decide(self, reply_id: str, state: DecidedState, *, by: str) -> Reply | None:
        return self._scripts.change(scripts.DECIDE, new_call(), reply_id, state, by, read=reply_of)

    def dismiss(self, entry_id: str, *, by: str) -> bool:
        return self._scripts.change(scripts.DISMISS, new_call(), entry_id, by, read=is_one)

    def see(self, conversation: str) -> None:
        self._scripts.change(scripts.SEE, conversation, read=nothing)

    def add_note(self, conversation: str, note_id: str, text: str, *, by: str) -> bool:
        return self._scripts.change(scripts.ADD_NOTE, conversation, note_id, text, by, read=bool)

    def delete_note(self, conversation: str, note_id: str) -> bool:
        return self._scripts.change(scripts.DELETE_NOTE, new_call(), conversation, note_id, read=is_one)

    def pace(self, sender: str, *, interval_ms: float) -> int:
        return self._scripts.change(scripts.PACE, sender, str(interval_ms), read=int)

    def reply(self, reply_id: str) -> Reply | None:
        return self._scripts.ask(scripts.REPLY, reply_id, read=reply_of)

    def is_known(self, external_id: str) -> bool:
        return self._scripts.ask(scripts.IS_KNOWN, external_id, read=bool)

    def text_of(self, account: str, external_id: str) -> str | None:
        name = str(MessageId(account, external_id))
        return self._scripts.ask(scripts.TEXT_OF, account, external_id, name, read=optional)

    @staticmethod
    def agree(stores: Sequence[RedisConversationStore], *, is_sure: bool) -> None:
        """See that all processes spread conversations over these stores; see `brokers.redis.shards.agree`."""
        agree([store._database for store in stores], is_sure=is_sure)

    def claim_contact(self, contact: KnownContact, conversation: str) -> str:
        """Return the key of the conversation with a contact: this one, where none is noted yet.

        It may be in another store: this one notes it for all of them.
        """
        return self._scripts.note(scripts.CLAIM_CONTACT, *contact, conversation, read=exact)

    def disclaim_contact(self, contact: KnownContact, conversation: str) -> None:
        """Forget that it is the conversation with a contact."""
        self._scripts.change(scripts.DISCLAIM_CONTACT, *contact, conversation, read=nothing)

    def check(self, *, timeout_s: float) -> None:
        if self._shard is None:
            agree([self._database])
        self._database.check(Command(CHECK, read=nothing), timeout_s=timeout_s)

    def close(self) -> None:
        self._database.close()


def redis_conversation_store(
    server: RedisOptions | str, *, namespace: str, shards: int = 1, **options: Any
) -> RedisConversationStore | ShardedConversationStore:
    """Make the store of a namespace.

    Parameters:
      server, namespace, options: as of `RedisConversationStore`.
      shards: over how many namespaces the conversations are spread.
    """
    if shards == 1:
        return RedisConversationStore(server, namespace=namespace, **options)
    stores = [
        RedisConversationStore(server, namespace=name, shard=number, **options)
        for number, name in enumerate(namespaces(namespace, shards))
    ]
    return ShardedConversationStore(stores)


def _paid(usage: Usage | None, call: ModelCall) -> Sequence[Argument]:
    paid = (None, None, None) if usage is None else (usage.model, usage.input_tokens, usage.tokens)
    took = (None, None) if usage is None else (call.cost, call.took_ms)
    counted = (0, 0) if usage is None else (usage.output_tokens or 0, answered_with(usage, call).unpriced)
    given = (*paid, *took, call.kept_prompt, call.kept_tool_calls, *counted)
    return ["" if each is None else each for each in given]
