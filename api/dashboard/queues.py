"""A queue: its messages by state, found by actor, id, text and time; paused and resumed."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import Any, get_args
from urllib.parse import quote, urlencode

from starlette.responses import RedirectResponse, Response

from brokers.clock import now_ms
from brokers.records import QueueStats, State, StoredMessage

from .desk import Desk
from .events import Event
from .listing import listing
from .overview import common_events
from .render import html, part
from .search import Wanted
from .visits import NotFound, Visit

STATES: tuple[State, ...] = get_args(State)

#: Times one may pick, in milliseconds back from now.
PERIODS_MS = {"15m": 900_000, "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000}


def since_ms(visit: Visit) -> int | None:
    """The time that was picked, or typed as a date and time of UTC."""
    wanted = visit.get("since")
    if wanted in PERIODS_MS:
        return now_ms() - PERIODS_MS[wanted]
    return moment_ms(wanted)


def moment_ms(text: str) -> int | None:
    """A typed date and time, in milliseconds since the epoch; None where it is none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def queue(desk: Desk, visit: Visit) -> Response:
    name = visit.parts["queue"]
    if message_id := visit.get("id"):
        return RedirectResponse(f"/dashboard/messages/{quote(message_id, safe='')}", 303)
    stats, state = _stats(desk, name), _state(visit)
    shown = listing(
        partial(_page, desk, name, state),
        Wanted(
            actor=visit.get("actor"),
            text=visit.text(),
            since_ms=since_ms(visit),
            before_ms=moment_ms(visit.get("before")),
        ),
        visit,
        base=f"/dashboard/queues/{quote(name, safe='')}",
        names=("state", "actor", "text", "since", "before"),
        state=state,
        total=getattr(stats, state),
        step=desk.step,
    )
    if visit.in_part:
        return html("parts/found.html", {**shown.context, "visit": visit})
    live = urlencode({"of": "queue", "queue": name, "state": state})
    return desk.page(visit, "queue.html", live=live, stats=stats, **shown.context)


def events(desk: Desk, name: str, state: str) -> list[Event]:
    """What changes on a queue's page: its numbers. The list stays as it was opened."""
    facts = desk.watch.facts()
    stats = [each for each in facts.queues if each.queue == name]
    numbers = [("states", part("parts/states.html", stats=each, state=state)) for each in stats]
    return [*common_events(desk, facts), *numbers]


def pause(desk: Desk, visit: Visit) -> Response:
    return _switch(desk, visit, "pause queue", desk.backend.pause)


def resume(desk: Desk, visit: Visit) -> Response:
    return _switch(desk, visit, "resume queue", desk.backend.resume)


def _switch(desk: Desk, visit: Visit, action: str, switch: Any) -> Response:
    name = visit.parts["queue"]
    _stats(desk, name)
    entry = desk.acting(visit, action, name)
    try:
        switch(name)
    except Exception:
        desk.audit.count(entry, failed=1, outcome="failed")
        raise
    desk.audit.count(entry, done=1, outcome="done")
    desk.counts.invalidate()
    return RedirectResponse(f"/dashboard/queues/{quote(name, safe='')}", 303)


def _stats(desk: Desk, name: str) -> QueueStats:
    for stats in desk.watch.queues():
        if stats.queue == name:
            return stats
    raise NotFound(f"There is no queue {name!r}.")


def _state(visit: Visit) -> State:
    state = visit.get("state")
    return next((each for each in STATES if each == state), "ready")


def _page(desk: Desk, name: str, state: State, limit: int, offset: int) -> list[StoredMessage]:
    return list(desk.backend.list(name, state, limit=limit, offset=offset))
