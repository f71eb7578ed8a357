"""A list of messages: a page straight from an index, or what was found by is_search through them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from brokers.records import State, StoredMessage

from ..page_request import PAGE_SIZE, PageRequest
from .search import FetchPage, MessageFilter, scan


@dataclass(frozen=True, slots=True)
class Listing:
    """What a list shows.

    Attributes:
      base: its address.
      criteria: what it was asked for, by the names of the fields; empty where it was not.
      state: of its messages.
      selectable: whether they can be picked.
      total: how many messages there are before anything is looked for; None when that would take long.
      start: how many come before those that are shown.
      messages: those that are shown.
      at_end: none come after them.
      is_search: they are looked for, one by one.
      scanned: how many were looked at so far.
      found_before: how many were found on earlier requests of the same page.
      is_full: a page was found; there may be more.
      stopped: somebody has seen enough.
    """

    base: str
    criteria: Mapping[str, str]
    state: State
    selectable: bool
    total: int | None
    start: int
    messages: Sequence[StoredMessage] = ()
    at_end: bool = False
    is_search: bool = False
    scanned: int = 0
    found_before: int = 0
    is_full: bool = False
    stopped: bool = False

    @property
    def variables(self) -> dict[str, Any]:
        """For templates."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {
            "query": urlencode({name: value for name, value in self.criteria.items() if value})
        }


def listing(
    page: FetchPage,
    filter_: MessageFilter,
    request: PageRequest,
    *,
    base: str,
    names: Sequence[str],
    state: State,
    total: int | None,
    step: int,
    selectable: bool = False,
) -> Listing:
    """Make a list.

    Parameters:
      page: where its messages come from.
      filter_: what is looked for.
      request: how far somebody has come with it.
      base: its address.
      names: the fields it may be asked for by.
      state: of its messages.
      total: how many messages `page` has; None when nobody knows.
      step: how many messages to look at together.
      selectable: whether messages can be picked.
    """
    criteria = {name: request.get(name) for name in names}
    shown = Listing(
        base, criteria, state, selectable, total, start=request.number("from"), is_search=filter_.narrows
    )
    if not filter_.narrows:
        messages = page(PAGE_SIZE + 1, shown.start)
        return replace(shown, messages=messages[:PAGE_SIZE], at_end=len(messages) <= PAGE_SIZE)
    before = request.number("found", most=PAGE_SIZE - 1)
    if request.get("stop"):
        return replace(shown, stopped=True, found_before=before, scanned=shown.start)
    found = scan(page, filter_.matcher(), start=shown.start, limit=PAGE_SIZE - before, step=step)
    is_full = before + len(found.messages) == PAGE_SIZE
    return replace(
        shown,
        messages=found.messages,
        scanned=found.scanned,
        at_end=found.at_end,
        is_full=is_full,
        found_before=0 if is_full else before + len(found.messages),
    )
