"""The page that shows what operators did."""

from __future__ import annotations

from starlette.responses import Response

from ..context import DashboardContext
from ..page_request import PAGE_SIZE, PageRequest


def audit(context: DashboardContext, request: PageRequest) -> Response:
    start = request.number("from")
    entries = context.audit.list(limit=PAGE_SIZE + 1, offset=start)
    return context.render_page(
        request,
        "audit.html",
        active="audit",
        entries=entries[:PAGE_SIZE],
        start=start,
        at_end=len(entries) <= PAGE_SIZE,
    )
