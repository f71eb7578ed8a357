"""The page that shows what operators did."""

from __future__ import annotations

from starlette.responses import Response

from .desk import Desk
from .visits import PAGE, Visit


def audit(desk: Desk, visit: Visit) -> Response:
    start = visit.number("from")
    entries = desk.audit.list(limit=PAGE + 1, offset=start)
    return desk.page(
        visit, "audit.html", active="audit", entries=entries[:PAGE], start=start, at_end=len(entries) <= PAGE
    )
