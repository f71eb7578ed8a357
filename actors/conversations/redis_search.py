"""Finds contacts and texts on a Redis server. It has no index of words: what was said lately is looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from . import scripts
from .reader import PageStart, Summary
from .redis_calls import Scripts, author, exact, optional, text
from .redis_reader import RedisConversationReader
from .search import (
    LEAST_BEGINNING,
    MOST_NUMBERS,
    MOST_WORDS,
    ONLY_LATEST,
    ContactQuery,
    FoundText,
    FoundTexts,
    TextsPlace,
    words_of,
)

#: The texts of so many conversations are searched, and so many of each, the latest first.
CONVERSATIONS, TEXTS = 500, 40

#: Looking at so many conversations holds up the server for a millisecond or two.
STEP = 25

BOUNDS = ONLY_LATEST.format(texts=TEXTS, conversations=CONVERSATIONS)


class RedisConversationFinder:
    """A `ConversationFinder` of a Redis or Valkey server.

    Parameters:
      called: calls the scripts of a `RedisConversationStore`.
    """

    def __init__(self, called: Scripts) -> None:
        self._scripts = called
        self._reader = RedisConversationReader(called)

    def contacts(
        self, query: ContactQuery, *, limit: int, after: PageStart | None = None
    ) -> Sequence[Summary]:
        keys = self._reader.found_by(query.name, query.numbers[:MOST_NUMBERS], after)
        return list(islice(self._reader.summaries_of(keys, at_once=limit), limit))

    def texts(self, wanted: str, *, limit: int, after: TextsPlace | None = None) -> FoundTexts:
        words = words_of(wanted)[:MOST_WORDS]
        if not words:
            return FoundTexts((), None, "")
        found = [each for each in self._said_lately() if _has(each.text, words)]
        found.sort(key=lambda each: each.at, reverse=True)
        first = 0 if after is None else after.first
        next_place = TextsPlace(first + limit, 0) if len(found) > first + limit else None
        return FoundTexts(found[first : first + limit], next_place, BOUNDS)

    def catch_up(self, *, within_s: float) -> bool:  # noqa: ARG002
        return True  # what was said lately is looked at as it is

    def _said_lately(self) -> Iterator[FoundText]:
        for first in range(0, CONVERSATIONS, STEP):
            looked_at, *texts = self._scripts.ask(scripts.SAID_LATELY, first, STEP, TEXTS, read=list)
            yield from map(_found, texts)
            if looked_at < STEP:
                return


def _has(said: str, words: Sequence[str]) -> bool:
    """Tell whether a text has all the words: those that are long enough, at the beginning of one."""
    has = f" {' '.join(words_of(said))} "
    return all(f" {word}{'' if len(word) >= LEAST_BEGINNING else ' '}" in has for word in words)


def _found(fields: list[Any]) -> FoundText:
    conversation, contact, name, message_id, by, said, at = fields
    return FoundText(
        exact(message_id), text(conversation), text(contact), optional(name), author(by), text(said), int(at)
    )
