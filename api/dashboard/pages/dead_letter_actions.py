"""Confirms, starts, continues and stops actions on dead letters."""

from __future__ import annotations

from starlette.responses import RedirectResponse, Response

from ...audit_log import AuditEntry
from ..context import DashboardContext
from ..language.catalogue import gettext
from ..language.stored import translated_parts
from ..page_request import NotFound, PageRequest
from ..rendering.render import html
from .bulk_actions import DeadLetterAction, action_of, may_continue, run_for_a_while
from .dead_letter_filters import chosen, confirmed, describe, fields_to_confirm, to_details, until_now
from .dead_letters import ADDRESS


def confirm(context: DashboardContext, request: PageRequest) -> Response:
    """Show how many dead letters an action would be about, before anything is done."""
    action, which = _action(request), until_now(chosen(request))
    return context.render_page(
        request,
        "confirm.html",
        active="dead",
        action=action,
        count=context.backend.count_dead_letters(which),
        description=translated_parts(describe(which)),
        fields=fields_to_confirm(request, which),
    )


def begin(context: DashboardContext, request: PageRequest) -> Response:
    """Record an action in the audit log, then do as much of it as a request may take."""
    action, which = _action(request), confirmed(request)
    entry_id = context.record_action(
        request,
        action.audited,
        describe(which),
        expected=context.backend.count_dead_letters(which),
        details=to_details(which),
    )
    return _progress(context, request, entry_id)


def continue_(context: DashboardContext, request: PageRequest) -> Response:
    """Do more of what was begun. Everything about it is in the audit log."""
    return _progress(context, request, request.number("entry"))


def stop(context: DashboardContext, request: PageRequest) -> Response:
    """Leave the rest as it is."""
    entry, _ = _own(context, request, request.number("entry"))
    context.audit.record_progress(entry.entry_id, outcome="stopped")
    entry, action = _own(context, request, entry.entry_id)
    return context.render_page(request, "progress.html", active="dead", entry=entry, action=action)


def back_to_list(context: DashboardContext, request: PageRequest) -> Response:  # noqa: ARG001
    """Lead to the list: a confirmation that is reloaded has nothing to confirm."""
    return RedirectResponse(ADDRESS, 303)


def _progress(context: DashboardContext, request: PageRequest, entry_id: int) -> Response:
    entry, action = _own(context, request, entry_id)
    if entry.outcome == "begun":
        entry = run_for_a_while(context, entry, action)
        context.cached_stats.invalidate()
    if request.in_part:
        return html("parts/progress.html", {"entry": entry, "action": action, "request": request})
    return context.render_page(request, "progress.html", active="dead", entry=entry, action=action)


def _own(
    context: DashboardContext, request: PageRequest, entry_id: int
) -> tuple[AuditEntry, DeadLetterAction]:
    """Return an entry that the user may continue, and its action.

    Raises:
      NotFound: there is none, or it is another user's, or about something else.
    """
    entry = context.audit.get(entry_id)
    action = None if entry is None else action_of(entry)
    if entry is None or action is None or not may_continue(entry, request.user):
        raise NotFound(gettext("There is nothing of yours to go on with."))
    return entry, action


def _action(request: PageRequest) -> DeadLetterAction:
    is_discard = request.get("action") == DeadLetterAction.DISCARD
    return DeadLetterAction.DISCARD if is_discard else DeadLetterAction.REPLAY
