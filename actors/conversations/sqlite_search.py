"""Finds contacts and texts in a SQLite file."""

from __future__ import annotations

import heapq
import time
from collections.abc import Sequence
from typing import Any

from brokers.sqlite.storage import Database

from . import reader_statements
from .reader import PageStart, Summary
from .search import (
    LEAST_BEGINNING,
    MOST_NUMBERS,
    MOST_WORDS,
    NOT_YET_ALL,
    ContactQuery,
    FoundText,
    FoundTexts,
    TextsPlace,
)
from .sqlite_reader import BEGINNING, to_summary
from .words import WAITING, index_step

#: How long a search takes to put in the words that are missing, in seconds: some thousands of texts. The rest
#: is housekeeping's, and the search says so.
CATCH_UP_S = 0.2

#: Greater than any id.
_LAST = TextsPlace(2**53 - 1, 2**53 - 1)


class SQLiteConversationFinder:
    """A `ConversationFinder` of a SQLite file.

    Parameters:
      database: the file that a `SQLiteConversationStore` keeps.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def contacts(
        self, query: ContactQuery, *, limit: int, after: PageStart | None = None
    ) -> Sequence[Summary]:
        until, key = after or BEGINNING
        numbers = [*query.numbers[:MOST_NUMBERS], *[None] * (MOST_NUMBERS - len(query.numbers))]
        bindings = {
            **{f"number{place}": number for place, number in enumerate(numbers)},
            "called": query.name or None,
            "until": until,
            "key": key,
            "limit": limit,
            "offset": 0,
        }
        return [to_summary(row) for row in self._read(reader_statements.CONTACTS, bindings)]

    def texts(self, wanted: str, *, limit: int, after: TextsPlace | None = None) -> FoundTexts:
        query = _query(wanted)
        if not query:
            return FoundTexts((), None, "")
        self.catch_up(within_s=CATCH_UP_S)
        place = after or _LAST
        found = list(
            heapq.merge(
                self._found(reader_statements.FOUND_MESSAGES, query, place.first, limit + 1),
                self._found(reader_statements.FOUND_REPLIES, query, place.second, limit + 1),
                key=lambda row: -row[-1],
            )
        )
        page = found[:limit]
        for of_us, number, *_ in page:
            place = TextsPlace(place.first, number) if of_us else TextsPlace(number, place.second)
        count = self._read(WAITING, ())[0][0]
        return FoundTexts(
            [FoundText._make(row[2:]) for row in page],
            place if len(found) > limit else None,
            NOT_YET_ALL.format(count=count) if count else "",
        )

    def _found(self, statement: str, query: str, before: int, limit: int) -> Any:
        return self._read(statement, {"query": query, "before": before, "limit": limit})

    def catch_up(self, *, within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        while self._read(WAITING, ())[0][0]:
            if not self._database.write(index_step):
                return True
            if time.monotonic() >= deadline:
                return False
        return True

    def _read(self, statement: str, bindings: Any) -> Any:
        return self._database.read(lambda connection: connection.execute(statement, bindings).fetchall())


def _query(wanted: str) -> str:
    """Write a query of FTS5: each word as it is, since the index folds it as it folded the texts."""
    words = "".join(each if each.isprintable() else " " for each in wanted).split()
    quoted = [
        '"' + word.replace('"', '""') + '"' + "*" * (len(word) >= LEAST_BEGINNING)
        for word in words
        if any(map(str.isalnum, word))
    ]
    return " ".join(quoted[:MOST_WORDS])
