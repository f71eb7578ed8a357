"""Exports and erases conversations on a Redis server, which deletes old ones by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from brokers.redis.scripts import new_call

from ..channels.channel import FIRST_CHANNEL
from ..keys import opt_out_digest
from . import scripts
from .keeper import Deleted, KeptConversation, KeptMessage, KeptReply, KeptUsage
from .redis_calls import Scripts, exact, notes, optional, text
from .redis_reader import FIND_PAGE
from .usage import Sums

#: To delete so many replies with their messages, or to look at so many conversations, holds up the server for
#: a millisecond or two.
STEP = 200


class RedisConversationKeeper:
    """A `ConversationKeeper` of a Redis or Valkey server.

    Parameters:
      called: calls the scripts of a `RedisConversationStore`.
    """

    def __init__(self, called: Scripts) -> None:
        self._scripts = called

    def keys(self, contact: str) -> Sequence[str]:
        found: dict[str, None] = {}
        offset, looked_at = 0, FIND_PAGE
        while looked_at == FIND_PAGE:
            looked_at, *keys = self._scripts.ask(scripts.KEYS, offset, FIND_PAGE, contact, read=list)
            found |= dict.fromkeys(text(key) for key in keys)  # one that moved meanwhile comes twice
            offset += looked_at
        return list(found)

    def other_names(self, conversation: str) -> Sequence[str]:
        names = self._scripts.ask(scripts.OTHER_NAMES, conversation, read=list)
        return [text(name) for name in names if name is not None]

    def kept(self, conversation: str) -> KeptConversation | None:
        return self._scripts.ask(scripts.KEPT, conversation, read=lambda answer: _kept(conversation, answer))

    def erase(self, conversation: str) -> Deleted:
        arguments = (conversation, STEP, opt_out_digest(conversation))
        is_left, counts = 1, [0, 0, 0]
        while is_left:
            is_left, *deleted = self._scripts.change(scripts.ERASE, *arguments, read=list)
            counts = [before + now for before, now in zip(counts, deleted, strict=True)]
        return Deleted(*counts)

    def remember_opt_out(self, digest: str) -> None:
        self._scripts.change(scripts.OPT_OUT, digest, 1, read=_nothing)

    def forget_opt_out(self, digest: str) -> None:
        self._scripts.change(scripts.OPT_OUT, digest, 0, read=_nothing)

    def begin_housekeeping(self, *, every_ms: int) -> bool:
        return self._scripts.change(scripts.BEGIN_HOUSEKEEPING, new_call(), every_ms, read=bool)

    def delete_old(self) -> Iterator[Deleted]:
        """Keep the server from deleting what a person answers, and opt-outs. The server counts nothing."""
        offset, looked_at = 0, STEP
        while looked_at == STEP:
            looked_at, there = self._scripts.change(scripts.KEEP_HOUSE, offset, STEP, read=list)
            offset += there
            yield Deleted()
        yield from self._index_nobody()

    def _index_nobody(self) -> Iterator[Deleted]:
        """Have those that nobody answers found quickly, once, where an earlier version stored them."""
        place = "0"
        while True:
            place = self._scripts.change(scripts.INDEX_NOBODY, place, STEP, read=text)
            if place == "0":
                return
            yield Deleted()

    def leave_no_trace(self) -> Sequence[str]:
        return ()  # nothing is on this machine's disk; docs/privacy.md tells of the server's file


def _nothing(_: Any) -> None:
    return None


def _kept(conversation: str, answer: list[Any] | None) -> KeptConversation | None:
    if answer is None:
        return None
    about, messages, replies, used, first_day, noted = answer
    account, address, contact, channel, mode, reason, mode_at, created_at, metadata, *names, last_at = about
    by_time = sorted(messages, key=lambda fields: (int(fields[4]), int(fields[-1])))
    return KeptConversation._make(
        (
            *(conversation, text(account), text(address), text(contact)),
            *(text(channel or b"") or FIRST_CHANNEL, text(mode or b"") or "assistant", text(reason or b"")),
            *(int(mode_at or 0), int(created_at), int(last_at or 0)),
            *(text(metadata or b"") or "{}", *map(optional, names)),
            _usage(used, since=int(first_day)),
            [_message(fields) for fields in by_time],
            [_reply(*fields) for fields in replies],
            notes(noted),
        )
    )


def _message(fields: list[Any]) -> KeptMessage:
    name, sid, body, payload, at, reply_id, aside, _ = fields
    return KeptMessage(
        *(exact(name), exact(sid), text(body), exact(payload), int(at), optional(reply_id)), aside == b"1"
    )


def _reply(reply_id: bytes, body: bytes, kind: bytes, state: bytes, *others: bytes | None) -> KeptReply:
    times, texts, numbers, of_call = others[:5], others[5:11], others[11:15], others[15:]
    return KeptReply._make(
        (
            *map(text, (reply_id, body, kind, state)),
            *map(_number, times),
            *map(optional, texts),
            *map(_number, numbers),
            *(optional(each or None) for each in of_call),
        )
    )


def _number(value: bytes | None) -> int | None:
    return None if value is None else int(value)


def _usage(fields: list[bytes], *, since: int) -> list[KeptUsage]:
    days: dict[int, dict[str, int]] = {}
    for field, amount in zip(fields[::2], fields[1::2], strict=True):
        day, _, name = text(field).partition("|")
        days.setdefault(int(day), {})[name] = int(amount)
    return [KeptUsage(day, Sums(**days[day])) for day in sorted(days) if day >= since]
