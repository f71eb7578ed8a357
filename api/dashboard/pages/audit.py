"""Shows what operators did."""

from __future__ import annotations

from starlette.responses import Response

from ..context import DashboardContext
from ..page_request import PAGE_SIZE, PageRequest
from .bulk_actions import DeadLetterAction, may_continue


def audit(context: DashboardContext, request: PageRequest) -> Response:
    """Show a page of the audit log, the newest entries first."""
    start = request.number("from")
    entries = context.audit.list(limit=PAGE_SIZE + 1, offset=start)
    shown = entries[:PAGE_SIZE]
    return context.render_page(
        request,
        "audit.html",
        active="audit",
        entries=shown,
        unfinished={
            entry.entry_id
            for entry in shown
            if entry.outcome == "begun"
            and may_continue(entry, request.user)
            and request.may("/dead-letters/continue")
        },
        start=start,
        dead_letter_actions={action.audited for action in DeadLetterAction},
        at_end=len(entries) <= PAGE_SIZE,
    )
