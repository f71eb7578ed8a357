"""Conversations spread over several stores, each of which a cluster may have on another node."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from brokers.redis.shards import first_answer, shard_of

from ..answer import Usage
from ..channels.channel import DeliveryStatus, InboundMessage
from ..conversation import Mode
from ..keys import ConversationKey, KnownContact, contact_digest
from ..model_call import NO_CALL, ModelCall
from ..reply import NOTHING_ELSE, Content, DecidedState, Reply, ReplyKind
from .notices import NoticeStore
from .sharded_jobs import ShardedCalls, ShardedChecks, ShardedKeeper
from .sharded_reader import ShardedFinder, ShardedReader, ShardedUsage
from .turn import Answered, Hold, Rest, Turn, Utterance

if TYPE_CHECKING:
    from .redis import RedisConversationStore


T = TypeVar("T")

#: The ids that a `RedisConversationStore` makes for replies, where it is one of several.
_MADE_HERE = re.compile(r"[0-9a-f]{32}\.(0|[1-9][0-9]?)")

#: Of so many replies whose ids were not made here a process remembers in which store they are.
MOST_HOMES = 1_000


class ShardedConversationStore:
    """A `ConversationStore` over several.

    A conversation, with all that is said in it, is in the store that its key says. A reply is looked for in
    the store that its id says, where the id was made for it, and else in all of them. What workers share is
    in the first one.

    Parameters:
      stores: the shards.
    """

    def __init__(self, stores: Sequence[RedisConversationStore]) -> None:
        self._stores = stores
        self._has_agreed = False
        self._homes: OrderedDict[str, RedisConversationStore] = OrderedDict()

    @property
    def stores(self) -> Sequence[RedisConversationStore]:
        """The shards, of which all processes have the same.

        Raises:
          NotDurable: they have not.
          EngineError: none of them answers.
        """
        if not self._has_agreed:
            self._agree()
        return self._stores

    def _agree(self) -> None:
        self._stores[0].agree(self._stores, is_sure=self._has_agreed)
        self._has_agreed = True

    def home(self, conversation: str) -> RedisConversationStore:
        """Return the store that a conversation is in."""
        return self.stores[shard_of(conversation, len(self._stores))]

    def home_of_reply(self, reply_id: str) -> RedisConversationStore:
        """Return the store that a reply is in; any one where it is in none.

        Raises:
          EngineError: it is in none of those that answer.
        """
        if (made := _MADE_HERE.fullmatch(reply_id)) and int(made[1]) < len(self._stores):
            return self.stores[int(made[1])]
        if (known := self._homes.get(reply_id)) is not None:
            return known
        found = self._first(lambda store: None if store.reply(reply_id) is None else store)
        if found is None:
            return self.stores[0]
        self._homes[reply_id] = found
        while len(self._homes) > MOST_HOMES:
            self._homes.popitem(last=False)
        return found

    def directory(self, contact: KnownContact) -> RedisConversationStore:
        """Return the store that notes which conversation is that with a contact."""
        return self.home("|".join(contact))

    # -- the parts ----------------------------------------------------------------------------------

    @property
    def reader(self) -> ShardedReader:
        """What people look at."""
        return ShardedReader(self.stores, home=self.home, home_of_reply=self.home_of_reply)

    @property
    def notices(self) -> NoticeStore:
        """The events that people are told of."""
        return self.stores[0].notices

    @property
    def shared_calls(self) -> ShardedCalls:
        """The calls of the model that all workers share."""
        return ShardedCalls([store.shared_calls for store in self.stores])

    @property
    def delivery_checks(self) -> ShardedChecks:
        """The sent replies that the channel is asked about."""
        return ShardedChecks(self.stores, home_of_reply=self.home_of_reply)

    @property
    def usage(self) -> ShardedUsage:
        """What was used."""
        return ShardedUsage([store.usage for store in self.stores])

    @property
    def keeper(self) -> ShardedKeeper:
        """Exports, erases, and sees to what is old."""
        return ShardedKeeper(self.stores, home=self.home, directory=self.directory)

    @property
    def search(self) -> ShardedFinder:
        """Finds contacts and texts."""
        return ShardedFinder([store.search for store in self.stores])

    # -- what comes in ------------------------------------------------------------------------------

    def append(self, message: InboundMessage, *, received_at: int) -> bool:
        return self.home(message.conversation).append(message, received_at=received_at)

    def append_and_hold(
        self, message: InboundMessage, *, received_at: int, holder: str
    ) -> tuple[bool, Hold | None]:
        home = self.home(message.conversation)
        return home.append_and_hold(message, received_at=received_at, holder=holder)

    def known_as(self, message: InboundMessage) -> str:
        """Return the address under which the conversation with a contact is kept.

        One store notes for all of them whose it is, before it begins where its key says: two addresses of one
        contact that write at the same moment come to one conversation.
        """
        key = ConversationKey.read(message.conversation)
        contact = KnownContact(key.account, key.address, message.contact.id or "")
        directory = self.directory(contact)
        while True:
            conversation = directory.claim_contact(contact, message.conversation)
            home, known_as = self.home(conversation), ConversationKey.read(conversation).contact
            known_as = home.known_as(replace(message, known_as=known_as))
            if contact.id in home.keeper.other_names(conversation):
                return known_as
            directory.disclaim_contact(contact, conversation)  # that address went to somebody else
            if conversation == message.conversation:
                return known_as

    def begin(self, conversation: str, channel: str) -> None:
        self.home(conversation).begin(conversation, channel)

    def quarantine(self, message: InboundMessage) -> None:
        self.home(message.conversation).quarantine(message)

    def restore(self, message: InboundMessage) -> None:
        self.home(message.conversation).restore(message)

    def describe(self, message_id: str, text: str) -> None:
        conversation = self.reader.conversation_of(message_id)
        if conversation is not None:
            self.home(conversation).describe(message_id, text)

    def unanswered(self, conversation: str) -> Sequence[Utterance]:
        return self.home(conversation).unanswered(conversation)

    # -- answering ----------------------------------------------------------------------------------

    def hold(self, conversation: str, holder: str, *, is_live: Callable[[str], bool]) -> Hold | None:
        return self.home(conversation).hold(conversation, holder, is_live=is_live)

    def turn(self, hold: Hold, *, history_limit: int) -> Turn:
        return self.home(hold.conversation).turn(hold, history_limit=history_limit)

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
        return self.home(hold.conversation).answer(
            hold,
            turn,
            *bodies,
            kind=kind,
            content=content,
            usage=usage,
            call=call,
            metadata=metadata,
            hand_over=hand_over,
            finish=finish,
        )

    def finish(self, hold: Hold) -> Rest:
        return self.home(hold.conversation).finish(hold)

    def release(self, hold: Hold) -> None:
        self.home(hold.conversation).release(hold)

    # -- people -------------------------------------------------------------------------------------

    def set_mode(self, conversation: str, mode: Mode, reason: str, *, opts_in: bool = False) -> bool:
        home = self.home(conversation)
        has_changed = home.set_mode(conversation, mode, reason, opts_in=opts_in)
        kept = home.keeper.kept(conversation) if opts_in and has_changed else None
        if kept is not None and kept.contact_id is not None:  # they may have opted out in another one
            digest = contact_digest(kept.account, kept.address, kept.contact_id)
            for store in self.stores:
                store.keeper.forget_opt_out(digest)
        return has_changed

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
        return self.home(conversation).write(
            conversation, reply_id, text, kind=kind, written_by=written_by, answers=answers, content=content
        )

    def hand_back(self, conversation: str, *, silent_since: int, reason: str | None = None) -> bool:
        return self.home(conversation).hand_back(conversation, silent_since=silent_since, reason=reason)

    def answers_since(self, conversation: str, since: int) -> tuple[int, int]:
        return self.home(conversation).answers_since(conversation, since)

    def mode(self, conversation: str) -> Mode:
        return self.home(conversation).mode(conversation)

    def dismiss(self, entry_id: str, *, by: str) -> bool:
        return bool(self._first(lambda store: store.dismiss(entry_id, by=by) or None))

    def see(self, conversation: str) -> None:
        self.home(conversation).see(conversation)

    def add_note(self, conversation: str, note_id: str, text: str, *, by: str) -> bool:
        return self.home(conversation).add_note(conversation, note_id, text, by=by)

    def delete_note(self, conversation: str, note_id: str) -> bool:
        return self.home(conversation).delete_note(conversation, note_id)

    # -- sending ------------------------------------------------------------------------------------

    def next_to_send(self, conversation: str) -> str | None:
        return self.home(conversation).next_to_send(conversation)

    def begin_sending(
        self, reply_id: str, *, attempt: int | None = None, void: Sequence[int] = ()
    ) -> Reply | None:
        return self.home_of_reply(reply_id).begin_sending(reply_id, attempt=attempt, void=void)

    def record_sent(
        self, reply_id: str, external_id: str, *, segments: int | None = None, cost: int = 0
    ) -> str | None:
        home = self.home_of_reply(reply_id)
        return home.record_sent(reply_id, external_id, segments=segments, cost=cost)

    def record_not_sent(self, reply_id: str, error: str, *, final: bool) -> None:
        self.home_of_reply(reply_id).record_not_sent(reply_id, error, final=final)

    def record_unknown(self, reply_id: str, error: str) -> None:
        self.home_of_reply(reply_id).record_unknown(reply_id, error)

    def record_cancelled(self, reply_id: str, why: str) -> None:
        self.home_of_reply(reply_id).record_cancelled(reply_id, why)

    def record_delivery(self, reply_id: str, status: DeliveryStatus) -> bool:
        return self.home_of_reply(reply_id).record_delivery(reply_id, status)

    def decide(self, reply_id: str, state: DecidedState, *, by: str) -> Reply | None:
        return self.home_of_reply(reply_id).decide(reply_id, state, by=by)

    def pace(self, sender: str, *, interval_ms: float) -> int:
        return self.home(sender).pace(sender, interval_ms=interval_ms)

    def reply(self, reply_id: str) -> Reply | None:
        return self.home_of_reply(reply_id).reply(reply_id)

    def is_known(self, external_id: str) -> bool:
        return bool(self._first(lambda store: store.is_known(external_id) or None))

    def text_of(self, account: str, external_id: str) -> str | None:
        return self._first(lambda store: store.text_of(account, external_id))

    def _first(self, ask: Callable[[RedisConversationStore], T | None]) -> T | None:
        return first_answer([partial(ask, store) for store in self.stores])

    # -- the rest -----------------------------------------------------------------------------------

    def check(self, *, timeout_s: float) -> None:
        self._agree()  # each time: a server that was emptied has to be told again
        for store in self.stores:
            store.check(timeout_s=timeout_s / len(self._stores))

    def close(self) -> None:
        for store in self._stores:
            store.close()
