"""The first page: what is wrong, how much there is to do, how fast it is done, and by whom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from starlette.responses import JSONResponse, Response

from .desk import Desk
from .events import Event
from .history import Point
from .problems import Facts
from .render import part
from .visits import Visit


def overview(desk: Desk, visit: Visit) -> Response:
    facts = desk.watch.facts()
    return desk.page(
        visit, "overview.html", active="overview", live="of=overview", facts=facts, **_shown(desk, facts)
    )


def history(desk: Desk, visit: Visit) -> Response:  # noqa: ARG001
    """The charts' hour, as columns."""
    return JSONResponse(_columns(desk.watch.history.points()))


def events(desk: Desk) -> Sequence[Event]:
    """What changes on the overview."""
    facts = desk.watch.facts()
    context = {**desk.common(facts), **_shown(desk, facts)}
    fragments = ("problems", "figures", "queues", "processes", "door")
    latest = desk.watch.history.points(since_s=facts.now_ms / 1000 - 3 * desk.watch.history.every_s)[-1:]
    return [
        *common_events(desk, facts),
        *((name, part(f"parts/{name}.html", **context)) for name in fragments),
        *(("sample", json.dumps(_columns([point]))) for point in latest),
    ]


def common_events(desk: Desk, facts: Facts) -> Sequence[Event]:
    """What changes on every page."""
    return [("menu", part("parts/menu_state.html", **desk.common(facts)))]


def _shown(desk: Desk, facts: Facts) -> dict[str, Any]:
    points = desk.watch.history.points(since_s=facts.now_ms / 1000 - 60)
    rates = [point.done_per_s for point in points if point.done_per_s is not None]
    waits_s = [queue.seconds_since(queue.waits_since) for queue in facts.queues]
    p95 = [point.wait_p95_s for point in points if point.wait_p95_s is not None]
    return {
        "rate_per_min": sum(rates) / len(rates) * 60 if rates else None,
        "oldest_s": max((wait_s for wait_s in waits_s if wait_s is not None), default=None),
        "wait_p95_s": p95[-1] if p95 else None,
        "webhooks": desk.watch.webhooks,
    }


def _columns(points: Sequence[Point]) -> dict[str, list[Any]]:
    names = Point._fields
    return {name: [getattr(point, name) for point in points] for name in names}
