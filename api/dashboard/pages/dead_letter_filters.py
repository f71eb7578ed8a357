"""Reads from a request which dead letters it means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, get_args

from brokers.clock import now_ms
from brokers.records import DeadLetterFilter, Reason

from ..language.catalogue import gettext
from ..page_request import NotFound, PageRequest
from .periods import moment_ms, since_ms

#: The reasons that a list can be narrowed to.
REASONS: tuple[Reason, ...] = get_args(Reason)

#: The fields that narrow a list.
FIELDS = ("queue", "actor", "reason", "text", "since", "before")

#: The fields that a confirmation hands on unchanged. It hands times on as moments.
_CONFIRMED = frozenset({"queue", "actor", "reason", "text", "id", "every"})

#: No message dies after this, in milliseconds since the epoch.
_LAST_MS = 1 << 52


def matching(request: PageRequest) -> DeadLetterFilter:
    """Return the filter that the fields of a list say."""
    return DeadLetterFilter(
        queue=request.get("queue") or None,
        actor=request.get("actor") or None,
        reason=request.get("reason") or None,
        text=request.text() or None,
        died_since=since_ms(request),
        died_before=moment_ms(request.get("before")),
    )


def chosen(request: PageRequest) -> DeadLetterFilter:
    """Return a filter for the dead letters that were picked, or for all that match.

    Raises:
      NotFound: none was picked.
    """
    if request.get("every"):
        return matching(request)
    ids = list(dict.fromkeys(request.all("id")))
    if not ids:
        raise NotFound(
            gettext("Nothing was picked. Tick the dead letters that are meant, or choose all that match.")
        )
    return DeadLetterFilter(message_ids=ids)


def until_now(which: DeadLetterFilter) -> DeadLetterFilter:
    """Leave out what dies from now on, so that a confirmed action is about what was counted."""
    if which.message_ids is not None:
        return which
    now = now_ms()
    return replace(which, died_before=min(which.died_before or now, now))


def confirmed(request: PageRequest) -> DeadLetterFilter:
    """Return the filter that a confirmation was given for: its moments count, and no period back from now."""
    which = chosen(request)
    if which.message_ids is not None:
        return which
    since, before = (request.number(name, most=_LAST_MS) for name in ("died_since", "died_before"))
    return replace(which, died_since=since or None, died_before=before or now_ms())


def fields_to_confirm(request: PageRequest, which: DeadLetterFilter) -> list[tuple[str, str]]:
    """Return the fields of a form from which `confirmed` makes the same filter."""
    fields = [(name, value) for name, value in request.fields if name in _CONFIRMED and value]
    if which.message_ids is None:
        moments = (("died_since", which.died_since or 0), ("died_before", which.died_before))
        fields += [(name, str(moment)) for name, moment in moments]
    return fields


def to_details(which: DeadLetterFilter) -> Mapping[str, Any]:
    """Return a filter as the audit log keeps it: its values alone, from which it is made again."""
    return {name: value for name, value in asdict(which).items() if value is not None}


def describe(which: DeadLetterFilter) -> str:
    """Name the dead letters for people, in English; `translated_parts` translates it.

    Nothing else reads the text back: `to_details` keeps the values.
    """
    if which.message_ids is not None:
        ids = which.message_ids
        return ids[0] if len(ids) == 1 else f"{len(ids)} that were picked"
    narrowed = [
        f"{name} {value}"
        for name, value in (("queue", which.queue), ("actor", which.actor), ("reason", which.reason))
        if value is not None
    ]
    if which.text is not None:
        narrowed.append("with a text")
    if which.died_since is not None:
        narrowed.append("by time")
    return ", ".join(["all", *narrowed])
