"""Conversations on a Redis server, for people to read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from brokers.redis.scripts import Script

from ..channels.channel import FIRST_CHANNEL
from ..conversation import Mode
from ..keys import ConversationKey, MessageId
from ..model_call import read_tool_calls
from ..reply import Content
from . import scripts
from .reader import Attention, ContactFacts, KeptCall, Listed, OwnAddress, PageStart, Summary, ThreadEntry
from .redis_calls import Scripts, author, exact, notes, optional, text

#: Looking at so many conversations holds up the server for a millisecond or two.
FIND_PAGE = 1_000

#: Among so many of the latest replies that did not get through, their conversations are looked for.
ATTENTION_LIMIT = 1_000


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
        listed: Listed | None = None,
        limit: int = 50,
        offset: int = 0,
        after: PageStart | None = None,
    ) -> Sequence[Summary]:
        if listed == "undelivered":
            found = self._undelivered(contact or "", after)
        else:
            among = "unread" if listed == "unread" else ""
            found = self._found(contact or "", "person" if listed == "waiting" else mode or "", after, among)
        summaries = self.summaries_of(found, at_once=limit)
        if listed == "waiting":
            summaries = (each for each in summaries if each.author == "contact")
        return list(islice(summaries, offset, offset + limit))

    def summaries_of(self, keys: Iterator[bytes], *, at_once: int) -> Iterator[Summary]:
        """Read conversations, so many together. Those whose messages are all gone are left out."""
        while page := list(islice(keys, at_once)):
            yield from self._scripts.ask(scripts.SUMMARIES, *page, read=_summaries)

    def summary(self, conversation: str) -> Summary | None:
        found = self._scripts.ask(scripts.SUMMARIES, conversation, read=_summaries)
        return found[0] if found else None

    def facts(self, conversation: str) -> ContactFacts | None:
        return self._scripts.ask(scripts.FACTS, conversation, read=_facts)

    def conversation_of(self, message_id: str) -> str | None:
        named = MessageId.read(message_id)
        reply_id = named.external_id if named.account == "reply" else ""
        return self._scripts.ask(scripts.CONVERSATION_OF, message_id, reply_id, read=optional)

    def attention(self, *, limit: int = 50) -> Sequence[Attention]:
        return self._scripts.ask(scripts.ATTENTION, limit, read=_attention)

    def model_call(self, reply_id: str) -> KeptCall | None:
        return self._scripts.ask(scripts.MODEL_CALL, reply_id, read=_model_call)

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

    def found_by(self, name: str, numbers: Sequence[str], after: PageStart | None) -> Iterator[bytes]:
        """Yield the keys of conversations with contacts like that, latest first."""
        return self._pages(scripts.FIND_CONTACTS, (name, *numbers), after)

    def _found(self, contact: str, mode: str, after: PageStart | None, among: str) -> Iterator[bytes]:
        """Yield the keys of conversations with contacts and a mode like that, latest first."""
        return self._pages(scripts.FIND_CONVERSATIONS, (contact, mode, among), after)

    def _undelivered(self, contact: str, after: PageStart | None) -> Iterator[bytes]:
        """Yield the keys of conversations with a reply that did not get through, latest first."""
        found = self._scripts.ask(scripts.ATTENTION_CONVERSATIONS, ATTENTION_LIMIT, read=list)
        for key, last_at, writes_from in sorted(
            found, key=lambda each: (int(each[1]), each[0]), reverse=True
        ):
            is_after = after is None or (int(last_at), key) < (after.last_at, after.conversation.encode())
            addresses = (ConversationKey.read(text(key)).contact, text(writes_from))
            if is_after and any(contact in address for address in addresses):
                yield key

    def _pages(self, script: Script, criteria: Sequence[str], after: PageStart | None) -> Iterator[bytes]:
        until = "+inf" if after is None else after.last_at
        offset = 0
        while True:
            looked_at, *found = self._scripts.ask(script, until, offset, FIND_PAGE, *criteria, read=list)
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


def _model_call(answer: list[Any] | None) -> KeptCall | None:
    if answer is None:
        return None
    model, *numbers, prompt, tool_calls = answer
    input_tokens, tokens, cost, took_ms = (None if each is None else int(each) for each in numbers)
    output_tokens = None if tokens is None or input_tokens is None else tokens - input_tokens
    kept = (text(prompt or b""), read_tool_calls(optional(tool_calls)))
    return KeptCall(text(model), input_tokens, output_tokens, cost, took_ms, *kept)


def _thread(answer: list[list[Any]]) -> list[ThreadEntry]:
    return [
        ThreadEntry._make(
            (
                author(by),
                text(said),
                int(at),
                *map(optional, others),
                Content.read(optional(content)),
                optional(model),
                aside == b"1",
            )
        )
        for by, said, at, *others, content, model, aside in answer
    ]


def _summaries(answer: list[list[Any]]) -> list[Summary]:
    return [_summary(fields) for fields in answer]


def _summary(fields: list[Any]) -> Summary:
    key, contact, address, last_at, message_id, by, said, unanswered, *of_reply, channel, name, unread = (
        fields
    )
    return Summary._make(
        (
            *(text(key), text(contact), text(address), int(last_at), text(message_id)),
            *(author(by), text(said), unanswered, *map(optional, of_reply)),
            *(text(channel) or FIRST_CHANNEL, optional(name), unread == 1),
        )
    )


def _facts(answer: list[Any] | None) -> ContactFacts | None:
    if answer is None:
        return None
    first_at, heard_at, messages, replies, noted = answer
    heard = None if heard_at is None else int(heard_at)
    return ContactFacts(int(first_at), heard, messages, replies, notes(noted))
