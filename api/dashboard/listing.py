"""A list of messages: a page straight from an index, or what was found by looking through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from brokers.records import State, StoredMessage

from .search import Page, Wanted, look_through
from .visits import PAGE, Visit


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list shows.

    Attributes:
      base: its address.
      asked: what it was asked for, by the names of the fields; empty where it was not.
      state: of its messages.
      pick: whether they can be picked.
      total: how many messages there are before anything is looked for; None when that would take long.
      start: how many come before those that are shown.
      messages: those that are shown.
      at_end: none come after them.
      looking: they are looked for, one by one.
      looked_through: how many were looked at so far.
      found_before: how many were found on earlier requests of the same page.
      full: a page was found; there may be more.
      stopped: somebody has seen enough.
    """

    base: str
    asked: Mapping[str, str]
    state: State
    pick: bool
    total: int | None
    start: int
    messages: Sequence[StoredMessage] = ()
    at_end: bool = False
    looking: bool = False
    looked_through: int = 0
    found_before: int = 0
    full: bool = False
    stopped: bool = False

    @property
    def context(self) -> dict[str, Any]:
        """For templates."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {
            "query": urlencode({name: value for name, value in self.asked.items() if value})
        }


def listing(
    page: Page,
    wanted: Wanted,
    visit: Visit,
    *,
    base: str,
    names: Sequence[str],
    state: State,
    total: int | None,
    step: int,
    pick: bool = False,
) -> Listing:
    """Make a list.

    Parameters:
      page: where its messages come from.
      wanted: what is looked for.
      visit: how far somebody has come with it.
      base: its address.
      names: the fields it may be asked for by.
      state: of its messages.
      total: how many messages `page` has; None when nobody knows.
      step: how many messages to look at together.
      pick: whether messages can be picked.
    """
    asked = {name: visit.get(name) for name in names}
    shown = Listing(base, asked, state, pick, total, start=visit.number("from"), looking=wanted.narrows)
    if not wanted.narrows:
        messages = page(PAGE + 1, shown.start)
        return replace(shown, messages=messages[:PAGE], at_end=len(messages) <= PAGE)
    before = visit.number("found", most=PAGE - 1)
    if visit.get("stop"):
        return replace(shown, stopped=True, found_before=before, looked_through=shown.start)
    found = look_through(page, wanted.matcher(), start=shown.start, limit=PAGE - before, step=step)
    full = before + len(found.messages) == PAGE
    return replace(
        shown,
        messages=found.messages,
        looked_through=found.looked_through,
        at_end=found.at_end,
        full=full,
        found_before=0 if full else before + len(found.messages),
    )
