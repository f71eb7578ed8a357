"""Makes a list of messages: a page straight from an index, or what a scan found."""

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
    """Holds what a list shows.

    Attributes:
      base: the path of the list.
      criteria: what the list is narrowed by, by the names of the fields; empty where it is not.
      state: the state of its messages.
      selectable: whether messages can be picked.
      of_all_queues: whether each message has to name its queue.
      total: how many messages there are before the list is narrowed; None when counting would take long.
      start: how many messages come before those that are shown.
      messages: the messages that are shown.
      at_end: no message comes after them.
      is_search: the messages are found by a scan.
      scanned: how many messages were scanned so far.
      found_before: how many were found by earlier requests for the same page.
      is_full: a whole page was found; there may be more.
      stopped: the user stopped the scan.
    """

    base: str
    criteria: Mapping[str, str]
    state: State
    selectable: bool
    of_all_queues: bool
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
        """Return what templates show."""
        return {each.name: getattr(self, each.name) for each in fields(self)} | {
            "query": urlencode({name: value for name, value in self.criteria.items() if value})
        }


def listing(
    fetch: FetchPage,
    filter_: MessageFilter,
    request: PageRequest,
    *,
    base: str,
    names: Sequence[str],
    state: State,
    total: int | None,
    step: int,
    selectable: bool = False,
    of_all_queues: bool = False,
) -> Listing:
    """Make a list.

    Parameters:
      fetch: returns messages of the list, before it is narrowed.
      filter_: narrows the list.
      request: says where the page begins, and how far a scan has come.
      base: the path of the list.
      names: the fields that may narrow the list.
      state: the state of its messages.
      total: how many messages `fetch` has; None when that is not known.
      step: how many messages to scan together.
      selectable: whether messages can be picked.
      of_all_queues: whether each message has to name its queue.
    """
    shown = Listing(
        base=base,
        criteria={name: request.get(name) for name in names},
        state=state,
        selectable=selectable,
        of_all_queues=of_all_queues,
        total=total,
        start=request.number("from"),
        is_search=filter_.narrows,
    )
    if not filter_.narrows:
        messages = fetch(PAGE_SIZE + 1, shown.start)
        return replace(shown, messages=messages[:PAGE_SIZE], at_end=len(messages) <= PAGE_SIZE)
    found_before = request.number("found", most=PAGE_SIZE - 1)
    if request.get("stop"):
        return replace(shown, stopped=True, found_before=found_before, scanned=shown.start)
    found = scan(fetch, filter_.matcher(), start=shown.start, limit=PAGE_SIZE - found_before, step=step)
    is_full = found_before + len(found.messages) == PAGE_SIZE
    return replace(
        shown,
        messages=found.messages,
        scanned=found.scanned,
        at_end=found.at_end,
        is_full=is_full,
        found_before=0 if is_full else found_before + len(found.messages),
    )
