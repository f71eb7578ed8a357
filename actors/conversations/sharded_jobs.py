"""What workers share and do beside answering, where conversations are spread over several stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from brokers.errors import EngineError

from ..keys import KnownContact, contact_digest
from ..reply import Reply
from .keeper import Deleted, KeptConversation
from .shared_calls import SharedCalls, Taking

if TYPE_CHECKING:
    from .redis import RedisConversationStore
    from .store import ConversationStore


class ShardedCalls:
    """`SharedCalls` that are counted in the first of several stores. A pause is told by each of them.

    Parameters:
      calls: the shards' own.
    """

    def __init__(self, calls: Sequence[SharedCalls]) -> None:
        self._calls = calls

    def take(self, holder: str, address: str, *, most: int, lease_ms: int) -> Taking:
        return self._calls[0].take(holder, address, most=most, lease_ms=lease_ms)

    def end(self, holder: str) -> None:
        self._calls[0].end(holder)

    def pause(self, pause_ms: int) -> None:
        for calls in self._calls:
            calls.pause(pause_ms)


class ShardedChecks:
    """`DeliveryChecks` of several stores, of which the first one says whose turn it is.

    Parameters:
      stores: the shards.
      home_of_reply: tells in which of them a reply is.
    """

    def __init__(
        self, stores: Sequence[ConversationStore], *, home_of_reply: Callable[[str], ConversationStore]
    ) -> None:
        self._checks = [store.delivery_checks for store in stores]
        self._home_of_reply = home_of_reply

    def begin(self, *, every_ms: int) -> bool:
        return self._checks[0].begin(every_ms=every_ms)

    def take(self, looks_ms: Sequence[int]) -> Reply | None:
        taken = (checks.take(looks_ms) for checks in self._checks)
        return next((reply for reply in taken if reply is not None), None)

    def put_back(self, reply_id: str, looks_ms: Sequence[int], *, delay_ms: int) -> None:
        self._home_of_reply(reply_id).delivery_checks.put_back(reply_id, looks_ms, delay_ms=delay_ms)

    def close(self, reply_id: str) -> None:
        self._home_of_reply(reply_id).delivery_checks.close(reply_id)


class ShardedKeeper:
    """A `ConversationKeeper` of several stores.

    Parameters:
      stores: the shards.
      home: tells in which of them a conversation is.
      directory: tells which of them notes whose conversation it is.
    """

    def __init__(
        self,
        stores: Sequence[RedisConversationStore],
        *,
        home: Callable[[str], ConversationStore],
        directory: Callable[[KnownContact], RedisConversationStore],
    ) -> None:
        self._keepers = [store.keeper for store in stores]
        self._home = home
        self._directory = directory

    def keys(self, contact: str) -> Sequence[str]:
        return [key for keeper in self._keepers for key in keeper.keys(contact)]

    def other_names(self, conversation: str) -> Sequence[str]:
        return self._home(conversation).keeper.other_names(conversation)

    def kept(self, conversation: str) -> KeptConversation | None:
        return self._home(conversation).keeper.kept(conversation)

    def erase(self, conversation: str) -> Deleted:
        """Erase a conversation. An opt-out is then known to the other stores, too."""
        keeper = self._home(conversation).keeper
        kept = keeper.kept(conversation)
        if kept is not None and kept.contact_id is not None:
            if kept.mode == "nobody":
                self.remember_opt_out(contact_digest(kept.account, kept.address, kept.contact_id))
            contact = KnownContact(kept.account, kept.address, kept.contact_id)
            self._directory(contact).disclaim_contact(contact, conversation)
        return keeper.erase(conversation)

    def remember_opt_out(self, digest: str) -> None:
        for keeper in self._keepers:
            keeper.remember_opt_out(digest)

    def forget_opt_out(self, digest: str) -> None:
        for keeper in self._keepers:
            keeper.forget_opt_out(digest)

    def begin_housekeeping(self, *, every_ms: int) -> bool:
        return self._keepers[0].begin_housekeeping(every_ms=every_ms)

    def delete_old(self) -> Iterator[Deleted]:
        errors = []
        for keeper in self._keepers:
            try:
                yield from keeper.delete_old()
            except EngineError as error:  # the others go on
                errors.append(error)
        if errors:
            raise errors[0]

    def leave_no_trace(self) -> Sequence[str]:
        return [why for keeper in self._keepers for why in keeper.leave_no_trace()]
