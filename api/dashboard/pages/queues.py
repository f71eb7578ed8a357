"""Shows a queue and its messages by state, finds them, and pauses and resumes the queue."""

from __future__ import annotations

from functools import partial
from typing import Any, get_args
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response

from brokers.records import QueueStats, State, StoredMessage

from ..context import DashboardContext
from ..language.catalogue import gettext
from ..live.event_streams import StreamEvent
from ..page_request import NotFound, PageRequest
from ..rendering.render import html, part
from .listing import listing
from .overview import common_events
from .periods import PERIODS, moment_ms, since_ms
from .search import MessageFilter

STATES: tuple[State, ...] = get_args(State)


def queue(context: DashboardContext, request: PageRequest) -> Response:
    """Show the messages of a queue in one state."""
    name = request.parts["queue"]
    if message_id := request.get("id"):
        return RedirectResponse(f"/dashboard/messages/{quote(message_id, safe='')}", 303)
    stats, state = _stats(context, name), _state(request)
    shown = listing(
        partial(_fetch_page, context, name, state),
        MessageFilter(
            actor=request.get("actor"),
            text=request.text(),
            since_ms=since_ms(request),
            before_ms=moment_ms(request.get("before")),
        ),
        request,
        base=f"/dashboard/queues/{quote(name, safe='')}",
        names=("state", "actor", "text", "since", "before"),
        state=state,
        total=getattr(stats, state),
        step=context.lookup_page,
    )
    if request.in_part:
        return html("parts/found.html", {**shown.variables, "request": request})
    live = urlencode({"of": "queue", "queue": name, "state": state})
    return context.render_page(
        request, "queue.html", live=live, stats=stats, periods=PERIODS, **shown.variables
    )


def events(context: DashboardContext, name: str, state: str) -> list[StreamEvent]:
    """Return what changes on a queue's page: its numbers. The list stays as it was opened."""
    snapshot = context.sampler.snapshot()
    stats = [each for each in snapshot.queues if each.queue == name]
    numbers = [("states", part("parts/states.html", stats=each, state=state)) for each in stats]
    return [*common_events(context, snapshot), *numbers]


def pause(context: DashboardContext, request: PageRequest) -> Response:
    """Stop handing the queue's messages to workers."""
    return _switch(context, request, "pause queue", context.backend.pause)


def resume(context: DashboardContext, request: PageRequest) -> Response:
    """Hand the queue's messages to workers again."""
    return _switch(context, request, "resume queue", context.backend.resume)


def _switch(context: DashboardContext, request: PageRequest, action: str, switch: Any) -> Response:
    name = request.parts["queue"]
    _stats(context, name)
    with context.recorded(request, action, name):
        switch(name)
    context.cached_stats.invalidate()
    return RedirectResponse(f"/dashboard/queues/{quote(name, safe='')}", 303)


def _stats(context: DashboardContext, name: str) -> QueueStats:
    for stats in context.sampler.queue_stats():
        if stats.queue == name:
            return stats
    raise NotFound(gettext("There is no queue {name}.", name=repr(name)))


def _state(request: PageRequest) -> State:
    state = request.get("state")
    return next((each for each in STATES if each == state), "ready")


def _fetch_page(
    context: DashboardContext, name: str, state: State, limit: int, offset: int
) -> list[StoredMessage]:
    return list(context.backend.list(name, state, limit=limit, offset=offset))
