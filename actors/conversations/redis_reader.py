"""Conversations on a Redis server, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from ..channels.channel import FIRST_CHANNEL
from ..conversation import Mode
from ..keys import MessageId
from ..reply import Content
from . import scripts
from .reader import Attention, OwnAddress, PageStart, Summary, ThreadEntry
from .redis_calls import Scripts, author, exact, optional, text

#: Looking at so many conversations holds up the server for a millisecond or two.
FIND_PAGE = 1_000


class RedisConversationReader:
    """A `ConversationReader` of a Redis or Valkey server.

    Parameters:
      called: calls the scripts of a `RedisConversationStore`.
    """

    def __init__(self, called: Scripts) -> None:
        self._scripts = called

    def thread(self, conversation: str, *, limit: int | None = None) -> Sequence[ThreadEntry]:
        return self._scripts.ask(scripts.THREAD, conversation, "" if limit is None else limit, read=_thread)

    def conversations(
        self,
        *,
        contact: str | None = None,
        mode: Mode | None = None,
        limit: int = 50,
        offset: int = 0,
        after: PageStart | None = None,
    ) -> Sequence[Summary]:
        found = self._found(contact or "", mode or "", after)
        page, summaries = list(islice(found, offset, offset + limit)), list[Summary]()
        while page:
            summaries += self._scripts.ask(scripts.SUMMARIES, *page, read=_summaries)
            page = list(
                islice(found, limit - len(summaries))
            )  # in place of those whose messages are all gone
        return summaries

    def summary(self, conversation: str) -> Summary | None:
        found = self._scripts.ask(scripts.SUMMARIES, conversation, read=_summaries)
        return found[0] if found else None

    def conversation_of(self, message_id: str) -> str | None:
        named = MessageId.read(message_id)
        reply_id = named.external_id if named.account == "reply" else ""
        return self._scripts.ask(scripts.CONVERSATION_OF, message_id, reply_id, read=optional)

    def attention(self, *, limit: int = 50) -> Sequence[Attention]:
        return self._scripts.ask(scripts.ATTENTION, limit, read=_attention)

    def addresses(self) -> Sequence[OwnAddress]:
        return self._scripts.ask(scripts.ADDRESSES, read=_addresses)

    def payloads(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        if not message_ids:
            return {}
        found = self._scripts.ask(scripts.PAYLOADS, *message_ids, read=list)
        return {
            message_id: exact(payload)
            for message_id, payload in zip(message_ids, found, strict=True)
            if payload is not None
        }

    def _found(self, contact: str, mode: str, after: PageStart | None) -> Iterator[bytes]:
        """Yield the keys of conversations with contacts and a mode like that, latest first."""
        until = "+inf" if after is None else after.last_at
        offset = 0
        while True:
            looked_at, *found = self._scripts.ask(
                scripts.FIND_CONVERSATIONS, until, offset, FIND_PAGE, contact, mode, read=list
            )
            for key, last_at in zip(found[::2], found[1::2], strict=True):
                if after is None or (int(last_at), key) < (after.last_at, after.conversation.encode()):
                    yield key
            offset += looked_at
            if looked_at < FIND_PAGE:
                return


def _addresses(answer: list[bytes]) -> list[OwnAddress]:
    found = [OwnAddress._make(text(each).split("|")) for each in answer]
    return sorted(found, key=lambda own: (own.address, own.account))


def _attention(answer: list[list[Any]]) -> list[Attention]:
    return [
        Attention._make((*map(text, (entry_id, conversation, said)), int(at), *map(optional, of_reply)))
        for entry_id, conversation, said, at, *of_reply in answer
    ]


def _thread(answer: list[list[Any]]) -> list[ThreadEntry]:
    return [
        ThreadEntry._make(
            (
                author(by),
                text(said),
                int(at),
                *map(optional, others),
                Content.read(optional(content)),
                aside == b"1",
            )
        )
        for by, said, at, *others, content, aside in answer
    ]


def _summaries(answer: list[list[Any]]) -> list[Summary]:
    return [_summary(fields) for fields in answer]


def _summary(fields: list[Any]) -> Summary:
    key, contact, address, last_at, message_id, by, said, unanswered, *of_reply, channel, name = fields
    return Summary._make(
        (
            *(text(key), text(contact), text(address), int(last_at), text(message_id)),
            *(author(by), text(said), unanswered, *map(optional, of_reply)),
            *(text(channel) or FIRST_CHANNEL, optional(name)),
        )
    )
