"""What people read of conversations that are spread over several stores: what each answers, merged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from brokers.redis.shards import first_answer

from ..conversation import Mode
from .reader import Attention, ContactFacts, KeptCall, Listed, OwnAddress, PageStart, Summary, ThreadEntry
from .redis_usage import most_first
from .search import ContactQuery, ConversationFinder, FoundTexts, TextsPlace
from .usage import ContactUsage, DayUsage, Sums, UsageReader

if TYPE_CHECKING:
    from .store import ConversationStore


class ShardedReader:
    """A `ConversationReader` of several stores.

    Parameters:
      stores: the shards.
      home: tells in which of them a conversation is.
      home_of_reply: tells in which of them a reply is.
    """

    def __init__(
        self,
        stores: Sequence[ConversationStore],
        *,
        home: Callable[[str], ConversationStore],
        home_of_reply: Callable[[str], ConversationStore],
    ) -> None:
        self._readers = [store.reader for store in stores]
        self._home = home
        self._home_of_reply = home_of_reply

    def thread(self, conversation: str, *, limit: int | None = None) -> Sequence[ThreadEntry]:
        return self._home(conversation).reader.thread(conversation, limit=limit)

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
        pages = (
            reader.conversations(contact=contact, mode=mode, listed=listed, limit=offset + limit, after=after)
            for reader in self._readers
        )
        return latest(pages)[offset : offset + limit]

    def summary(self, conversation: str) -> Summary | None:
        return self._home(conversation).reader.summary(conversation)

    def facts(self, conversation: str) -> ContactFacts | None:
        return self._home(conversation).reader.facts(conversation)

    def conversation_of(self, message_id: str) -> str | None:
        return first_answer([partial(reader.conversation_of, message_id) for reader in self._readers])

    def attention(self, *, limit: int = 50) -> Sequence[Attention]:
        entries = [entry for reader in self._readers for entry in reader.attention(limit=limit)]
        return sorted(entries, key=lambda entry: entry.at, reverse=True)[:limit]

    def model_call(self, reply_id: str) -> KeptCall | None:
        return self._home_of_reply(reply_id).reader.model_call(reply_id)

    def addresses(self) -> Sequence[OwnAddress]:
        found = {own for reader in self._readers for own in reader.addresses()}
        return sorted(found, key=lambda own: (own.address, own.account))

    def payloads(self, message_ids: Sequence[str]) -> Mapping[str, str]:
        return {name: kept for reader in self._readers for name, kept in reader.payloads(message_ids).items()}


class ShardedFinder:
    """A `ConversationFinder` of several stores.

    Parameters:
      finders: the shards' own.
    """

    def __init__(self, finders: Sequence[ConversationFinder]) -> None:
        self._finders = finders

    def contacts(
        self, query: ContactQuery, *, limit: int, after: PageStart | None = None
    ) -> Sequence[Summary]:
        pages = (finder.contacts(query, limit=limit, after=after) for finder in self._finders)
        return latest(pages)[:limit]

    def texts(self, wanted: str, *, limit: int, after: TextsPlace | None = None) -> FoundTexts:
        first = 0 if after is None else after.first
        pages = [finder.texts(wanted, limit=first + limit) for finder in self._finders]
        texts = sorted(
            (text for page in pages for text in page.texts), key=lambda each: each.at, reverse=True
        )
        has_more = len(texts) > first + limit or any(page.next_place is not None for page in pages)
        return FoundTexts(
            texts[first : first + limit],
            TextsPlace(first + limit, 0) if has_more else None,
            next((page.bounds for page in pages if page.bounds), ""),
        )

    def catch_up(self, *, within_s: float) -> bool:
        share_s = within_s / len(self._finders)
        caught_up = [finder.catch_up(within_s=share_s) for finder in self._finders]
        return all(caught_up)


class ShardedUsage:
    """A `UsageReader` of several stores.

    Parameters:
      readers: the shards' own.
    """

    def __init__(self, readers: Sequence[UsageReader]) -> None:
        self._readers = readers

    def days(self, *, since: int, until: int) -> Sequence[DayUsage]:
        parts: defaultdict[tuple[int, str, str], list[Sums]] = defaultdict(list)
        for reader in self._readers:
            for day, address, model, sums in reader.days(since=since, until=until):
                parts[day, address, model].append(sums)
        return [DayUsage(*about, Sums.of(parts[about])) for about in sorted(parts)]

    def contacts(self, *, since: int, until: int, limit: int = 50, offset: int = 0) -> Sequence[ContactUsage]:
        found = [
            used
            for reader in self._readers
            for used in reader.contacts(since=since, until=until, limit=offset + limit)
        ]
        dearest = sorted(found, key=lambda used: (*most_first(used.sums), used.conversation.encode()))
        return dearest[offset : offset + limit]


def latest(pages: Iterable[Sequence[Summary]]) -> list[Summary]:
    """Merge pages of conversations: those come first in which something was said last."""
    found = (summary for page in pages for summary in page)
    return sorted(found, key=lambda each: (each.last_at, each.conversation.encode()), reverse=True)
