"""Lists dead letters, and finds them by queue, actor, reason, text and time."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from starlette.responses import Response

from brokers.records import DeadLetterFilter, StoredMessage

from ..context import DashboardContext
from ..live.event_streams import StreamEvent
from ..page_request import PageRequest
from ..rendering.render import html, part
from .dead_letter_filters import FIELDS, REASONS, matching
from .listing import listing
from .overview import common_events
from .periods import PERIODS
from .search import MessageFilter

ADDRESS = "/dashboard/dead-letters"


def dead_letters(context: DashboardContext, request: PageRequest) -> Response:
    """Show dead letters, and what the user can do with them."""
    which = matching(request)
    # An index finds them by queue and time. All else is scanned for a little at a time, as among live ones.
    indexed = replace(which, actor=None, reason=None, text=None)
    shown = listing(
        partial(_fetch_page, context, indexed),
        MessageFilter(actor=which.actor or "", reason=which.reason or "", text=which.text or ""),
        request,
        base=ADDRESS,
        names=FIELDS,
        state="dead",
        total=context.backend.count_dead_letters(indexed),
        step=context.lookup_page,
        selectable=request.may("/dead-letters/confirm"),
        of_all_queues=True,
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
        periods=PERIODS,
        **shown.variables,
    )


def events(context: DashboardContext) -> list[StreamEvent]:
    """Return what changes on the page: how many there are. The list stays as it was opened."""
    snapshot = context.sampler.snapshot()
    total = part("parts/dead_total.html", **context.common_variables(snapshot))
    return [*common_events(context, snapshot), ("total", total)]


def _fetch_page(
    context: DashboardContext, which: DeadLetterFilter, limit: int, offset: int
) -> list[StoredMessage]:
    return list(context.backend.dead_letters(which, limit=limit, offset=offset))
