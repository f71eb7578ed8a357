"""What was used, by what people ask for: by day, by number of ours, by model, by contact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Literal, NamedTuple

from .conversations.usage import DAY_MS, DayUsage, Sums, UsageReader
from .keys import ConversationKey

By = Literal["day", "number", "model", "contact"]

#: By what sums of days are put together.
_NAMES: Mapping[By, Callable[[DayUsage], str]] = {
    "day": lambda row: date_of(row.day).isoformat(),
    "number": lambda row: row.address,
    "model": lambda row: row.model,
}


class UsageLine(NamedTuple):
    """A line of a report.

    Attributes:
      name: the day, as ISO 8601; the address of ours; the model, empty for none; or the contact's address.
      sums: what was used.
      conversation: the key, where it is about a contact at one of our addresses.
    """

    name: str
    sums: Sums
    conversation: str | None = None


def date_of(day: int) -> date:
    """Return the date of a day, given in days since the epoch."""
    return datetime.fromtimestamp(day * DAY_MS / 1_000, tz=UTC).date()


def report(
    usage: UsageReader, by: By, *, since: int, until: int, limit: int, offset: int = 0
) -> Sequence[UsageLine]:
    """Report what was used: days newest first; all else by what cost most, then by most tokens.

    Parameters:
      usage: the sums.
      by: what each line is about.
      since, until: the first day and the last one, in days since the epoch.
      limit, offset: the page.
    """
    if by == "contact":
        found = usage.contacts(since=since, until=until, limit=limit, offset=offset)
        return [
            UsageLine(ConversationKey.read(each.conversation).contact, each.sums, each.conversation)
            for each in found
        ]
    parts: dict[str, list[Sums]] = defaultdict(list)
    for row in usage.days(since=since, until=until):
        parts[_NAMES[by](row)].append(row.sums)
    lines = [UsageLine(name, Sums.of(sums)) for name, sums in parts.items()]
    if by == "day":
        lines.sort(key=lambda line: line.name, reverse=True)
    else:
        lines.sort(key=lambda line: (-line.sums.cost, -line.sums.tokens, -line.sums.replies, line.name))
    return lines[offset : offset + limit]
