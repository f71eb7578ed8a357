"""Shows the overview: problems, queues, charts and processes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from ..context import DashboardContext
from ..live.event_streams import StreamEvent
from ..live.history import Point
from ..live.snapshot import Snapshot
from ..page_request import PageRequest
from ..rendering.render import part


def overview(context: DashboardContext, request: PageRequest) -> Response:
    """Show the overview."""
    snapshot = context.sampler.snapshot()
    return context.render_page(
        request,
        "overview.html",
        active="overview",
        live="of=overview",
        snapshot=snapshot,
        **_shown(context, snapshot),
    )


def history(context: DashboardContext, request: PageRequest) -> Response:  # noqa: ARG001
    """Return the last hour for the charts, as columns."""
    return JSONResponse(_columns(context.sampler.history.points()))


def events(context: DashboardContext) -> Sequence[StreamEvent]:
    """Return what changes on the overview."""
    snapshot = context.sampler.snapshot()
    variables = {**context.common_variables(snapshot), **_shown(context, snapshot)}
    fragments = ("problems", "figures", "queues", "processes", "door")
    latest = context.sampler.history.points(
        since_s=snapshot.now_ms / 1000 - 3 * context.sampler.history.every_s
    )[-1:]
    return [
        *common_events(context, snapshot),
        *((name, part(f"parts/{name}.html", **variables)) for name in fragments),
        *(("sample", json.dumps(_columns([point]))) for point in latest),
    ]


def common_events(context: DashboardContext, snapshot: Snapshot) -> Sequence[StreamEvent]:
    """Return what changes on every page."""
    shown = context.common_variables(snapshot)
    return [("menu", part("parts/menu_state.html", **shown)), ("owed", part("parts/owed.html", **shown))]


def _shown(context: DashboardContext, snapshot: Snapshot) -> dict[str, Any]:
    points = context.sampler.history.points(since_s=snapshot.now_ms / 1000 - 60)
    rates = [point.done_per_s for point in points if point.done_per_s is not None]
    waits_s = [queue.seconds_since(queue.waits_since) for queue in snapshot.queues]
    p95 = [point.wait_p95_s for point in points if point.wait_p95_s is not None]
    return {
        "rate_per_min": sum(rates) / len(rates) * 60 if rates else None,
        "oldest_s": max((wait_s for wait_s in waits_s if wait_s is not None), default=None),
        "wait_p95_s": p95[-1] if p95 else None,
        "webhooks": context.sampler.webhooks,
    }


def _columns(points: Sequence[Point]) -> dict[str, list[Any]]:
    names = Point._fields
    return {name: [getattr(point, name) for point in points] for name in names}
