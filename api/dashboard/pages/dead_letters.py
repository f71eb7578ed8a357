"""Dead letters: found, and replayed or discarded: one, some, or all that match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Literal

from starlette.responses import RedirectResponse, Response

from brokers.clock import now_ms
from brokers.records import DeadLetterFilter, StoredMessage

from ..access.audit_log import AuditEntry
from ..context import DashboardContext
from ..live.event_streams import StreamEvent
from ..page_request import NotFound, PageRequest
from ..rendering.render import html, part
from .bulk_actions import go_on
from .listing import listing
from .overview import common_events
from .queues import moment_ms, since_ms
from .search import MessageFilter

ADDRESS = "/dashboard/dead-letters"

#: Why messages die, for the filter.
REASONS = ("failed", "rejected", "expired", "undecodable", "unknown_actor", "undeliverable", "max_deliveries")

_FIELDS = ("queue", "actor", "reason", "text", "since", "before")

#: What a confirmation hands on as it was asked.
_CONFIRMED = frozenset({"queue", "actor", "reason", "text", "id", "every"})

#: No message dies after this, in milliseconds since the epoch.
LAST_MS = 1 << 52

#: What can be done with them, and how it is said.
ACTIONS: Mapping[str, str] = {"replay": "Replay", "discard": "Discard"}


def dead_letters(context: DashboardContext, request: PageRequest) -> Response:
    which = _filter(request)
    # By queue and time they are found at once. All else is looked for a little at a time, as among live ones.
    sorted_by = replace(which, actor=None, reason=None, text=None)
    shown = listing(
        partial(_page, context, sorted_by),
        MessageFilter(actor=which.actor or "", reason=which.reason or "", text=which.text or ""),
        request,
        base=ADDRESS,
        names=_FIELDS,
        state="dead",
        total=context.backend.count_dead_letters(sorted_by),
        step=context.lookup_page,
        selectable=request.user.is_operator,
    )
    if request.in_part:
        return html("parts/found.html", {**shown.variables, "request": request})
    snapshot = context.sampler.snapshot()
    return context.render_page(
        request,
        "dead_letters.html",
        active="dead",
        live="of=dead",
        snapshot=snapshot,
        queues=snapshot.queues,
        reasons=REASONS,
        **shown.variables,
    )


def events(context: DashboardContext) -> list[StreamEvent]:
    """What changes on the page: how many there are. The list stays as it was opened."""
    snapshot = context.sampler.snapshot()
    return [
        *common_events(context, snapshot),
        ("total", part("parts/dead_total.html", **context.common_variables(snapshot))),
    ]


def confirm(context: DashboardContext, request: PageRequest) -> Response:
    """The page that says how many it would be, before anything is done."""
    action, which = _action(request), _meant(request)
    kept = [(name, value) for name, value in request.fields if name in _CONFIRMED and value]
    if which.message_ids is None:
        # From here on, "all of them" are those of now, and "the last hour" is that before now.
        now = now_ms()
        which = replace(which, died_before=min(which.died_before or now, now))
        moments = (("died_since", which.died_since or 0), ("died_before", which.died_before))
        kept += [(name, str(moment)) for name, moment in moments]
    return context.render_page(
        request,
        "confirm.html",
        active="dead",
        action=action,
        verb=ACTIONS[action],
        count=context.backend.count_dead_letters(which),
        words=_in_words(which),
        kept=kept,
    )


def begin(context: DashboardContext, request: PageRequest) -> Response:
    """Write it down, then do as much of it as a request may take."""
    action, which = _action(request), _meant(request)
    if which.message_ids is None:
        since, before = (request.number(name, most=LAST_MS) for name in ("died_since", "died_before"))
        which = replace(which, died_since=since or None, died_before=before or now_ms())
    expected = context.backend.count_dead_letters(which)
    details = {name: value for name, value in asdict(which).items() if value is not None}
    entry_id = context.record_action(
        request, f"{action} dead letters", _in_words(which), expected=expected, details=details
    )
    return _progress(context, request, entry_id)


def continue_(context: DashboardContext, request: PageRequest) -> Response:
    """Do more of what was begun. Only who began it may: everything about it is in the audit log."""
    return _progress(context, request, request.number("entry"))


def stop(context: DashboardContext, request: PageRequest) -> Response:
    """Leave the rest as it is."""
    entry = _own(context, request, request.number("entry"))
    context.audit.record_progress(entry.entry_id, outcome="stopped")
    return context.render_page(
        request, "progress.html", active="dead", entry=_own(context, request, entry.entry_id)
    )


def _progress(context: DashboardContext, request: PageRequest, entry_id: int) -> Response:
    entry = _own(context, request, entry_id)
    if entry.outcome == "begun":
        entry = go_on(context, entry)
        context.cached_stats.invalidate()
    if request.in_part:
        return html("parts/progress.html", {"entry": entry, "request": request})
    return context.render_page(request, "progress.html", active="dead", entry=entry)


def _own(context: DashboardContext, request: PageRequest, entry_id: int) -> AuditEntry:
    entry = context.audit.get(entry_id)
    if entry is None or entry.who != request.user.name or not entry.action.endswith(" dead letters"):
        raise NotFound("There is nothing of yours to go on with.")
    return entry


def back_to_list(context: DashboardContext, request: PageRequest) -> Response:  # noqa: ARG001
    """A confirmation that is reloaded has nothing to confirm."""
    return RedirectResponse(ADDRESS, 303)


def _filter(request: PageRequest) -> DeadLetterFilter:
    """What the fields narrow to."""
    return DeadLetterFilter(
        queue=request.get("queue") or None,
        actor=request.get("actor") or None,
        reason=request.get("reason") or None,
        text=request.text() or None,
        died_since=since_ms(request),
        died_before=moment_ms(request.get("before")),
    )


def _meant(request: PageRequest) -> DeadLetterFilter:
    """Those that were picked, or all that match."""
    if request.get("every"):
        return _filter(request)
    ids = list(dict.fromkeys(request.all("id")))
    if not ids:
        raise NotFound("Nothing was picked. Tick the dead letters that are meant, or choose all that match.")
    return DeadLetterFilter(message_ids=ids)


def _action(request: PageRequest) -> Literal["replay", "discard"]:
    return "discard" if request.get("action") == "discard" else "replay"


def _in_words(which: DeadLetterFilter) -> str:
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


def _page(context: DashboardContext, which: DeadLetterFilter, limit: int, offset: int) -> list[StoredMessage]:
    return list(context.backend.dead_letters(which, limit=limit, offset=offset))
