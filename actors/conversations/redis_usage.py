"""What was used, on a Redis server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import scripts
from .redis_calls import Scripts, text
from .redis_keeper import STEP
from .usage import ContactUsage, DayUsage, Sums


class RedisUsageReader:
    """A `UsageReader` of a Redis or Valkey server.

    Parameters:
      called: calls the scripts of a `RedisConversationStore`.
    """

    def __init__(self, called: Scripts) -> None:
        self._scripts = called

    def days(self, *, since: int, until: int) -> Sequence[DayUsage]:
        return self._scripts.ask(scripts.USAGE_DAYS, since, until, read=_days)

    def contacts(self, *, since: int, until: int, limit: int = 50, offset: int = 0) -> Sequence[ContactUsage]:
        """Return the sums of conversations. The server has no order of them: all are looked at."""
        found: dict[str, Sums] = {}
        passed, looked_at = 0, STEP
        while looked_at == STEP:
            looked_at, *rows = self._scripts.ask(
                scripts.USAGE_CONTACTS, since, until, passed, STEP, read=list
            )
            found |= _contacts(rows)  # one that was used meanwhile comes twice
            passed += looked_at
        ordered = sorted(found.items(), key=lambda each: (*most_first(each[1]), each[0].encode()))
        return [ContactUsage(*each) for each in ordered[offset : offset + limit]]


def most_first(sums: Sums) -> tuple[int, int, int]:
    return -sums.cost, -sums.tokens, -sums.replies


def _days(answer: list[Any]) -> list[DayUsage]:
    rows: dict[tuple[int, str, str], dict[str, int]] = {}
    for day, fields in answer:
        for field, amount in zip(fields[::2], fields[1::2], strict=True):
            name, address, model = text(field).split("|", 2)
            rows.setdefault((int(day), address, model), {})[name] = int(amount)
    in_order = sorted(rows, key=lambda row: (row[0], row[1].encode(), row[2].encode()))
    return [DayUsage(*row, Sums(**rows[row])) for row in in_order]


def _contacts(rows: list[Any]) -> dict[str, Sums]:
    width = 1 + len(Sums._fields)
    found = (rows[start : start + width] for start in range(0, len(rows), width))
    return {text(key): Sums._make(map(int, sums)) for key, *sums in found}
