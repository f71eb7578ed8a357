"""Dead letters: found, and replayed or discarded: one, some, or all that match."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from typing import Literal

from starlette.responses import RedirectResponse, Response

from brokers.clock import now_ms
from brokers.records import DeadLetterFilter, StoredMessage

from .audit import Entry
from .bulk import go_on
from .desk import Desk
from .events import Event
from .listing import listing
from .overview import common_events
from .queues import moment_ms, since_ms
from .render import html, part
from .search import Wanted
from .visits import NotFound, Visit

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


def dead_letters(desk: Desk, visit: Visit) -> Response:
    which = _filter(visit)
    # By queue and time they are found at once. All else is looked for a little at a time, as among live ones.
    sorted_by = replace(which, actor=None, reason=None, text=None)
    shown = listing(
        partial(_page, desk, sorted_by),
        Wanted(actor=which.actor or "", reason=which.reason or "", text=which.text or ""),
        visit,
        base=ADDRESS,
        names=_FIELDS,
        state="dead",
        total=desk.backend.count_dead_letters(sorted_by),
        step=desk.step,
        pick=visit.visitor.may_act,
    )
    if visit.in_part:
        return html("parts/found.html", {**shown.context, "visit": visit})
    facts = desk.watch.facts()
    return desk.page(
        visit, "dead_letters.html", active="dead", live="of=dead", facts=facts, queues=facts.queues,
        reasons=REASONS, **shown.context,
    )  # fmt: skip


def events(desk: Desk) -> list[Event]:
    """What changes on the page: how many there are. The list stays as it was opened."""
    facts = desk.watch.facts()
    return [*common_events(desk, facts), ("total", part("parts/dead_total.html", **desk.common(facts)))]


def confirm(desk: Desk, visit: Visit) -> Response:
    """The page that says how many it would be, before anything is done."""
    action, which = _action(visit), _meant(visit)
    kept = [(name, value) for name, value in visit.fields if name in _CONFIRMED and value]
    if which.message_ids is None:
        # From here on, "all of them" are those of now, and "the last hour" is that before now.
        now = now_ms()
        which = replace(which, died_before=min(which.died_before or now, now))
        moments = (("died_since", which.died_since or 0), ("died_before", which.died_before))
        kept += [(name, str(moment)) for name, moment in moments]
    return desk.page(
        visit,
        "confirm.html",
        active="dead",
        action=action,
        verb=ACTIONS[action],
        count=desk.backend.count_dead_letters(which),
        words=_in_words(which),
        kept=kept,
    )


def begin(desk: Desk, visit: Visit) -> Response:
    """Write it down, then do as much of it as a request may take."""
    action, which = _action(visit), _meant(visit)
    if which.message_ids is None:
        since, before = (visit.number(name, most=LAST_MS) for name in ("died_since", "died_before"))
        which = replace(which, died_since=since or None, died_before=before or now_ms())
    expected = desk.backend.count_dead_letters(which)
    details = {name: value for name, value in asdict(which).items() if value is not None}
    entry_id = desk.acting(
        visit, f"{action} dead letters", _in_words(which), expected=expected, details=details
    )
    return _progress(desk, visit, entry_id)


def continue_(desk: Desk, visit: Visit) -> Response:
    """Do more of what was begun. Only who began it may: everything about it is in the audit log."""
    return _progress(desk, visit, visit.number("entry"))


def stop(desk: Desk, visit: Visit) -> Response:
    """Leave the rest as it is."""
    entry = _own(desk, visit, visit.number("entry"))
    desk.audit.count(entry.entry_id, outcome="stopped")
    return desk.page(visit, "progress.html", active="dead", entry=_own(desk, visit, entry.entry_id))


def _progress(desk: Desk, visit: Visit, entry_id: int) -> Response:
    entry = _own(desk, visit, entry_id)
    if entry.outcome == "begun":
        entry = go_on(desk, entry)
        desk.counts.invalidate()
    if visit.in_part:
        return html("parts/progress.html", {"entry": entry, "visit": visit})
    return desk.page(visit, "progress.html", active="dead", entry=entry)


def _own(desk: Desk, visit: Visit, entry_id: int) -> Entry:
    entry = desk.audit.get(entry_id)
    if entry is None or entry.who != visit.visitor.name or not entry.action.endswith(" dead letters"):
        raise NotFound("There is nothing of yours to go on with.")
    return entry


def back_to_list(desk: Desk, visit: Visit) -> Response:  # noqa: ARG001
    """A confirmation that is reloaded has nothing to confirm."""
    return RedirectResponse(ADDRESS, 303)


def _filter(visit: Visit) -> DeadLetterFilter:
    """What the fields narrow to."""
    return DeadLetterFilter(
        queue=visit.get("queue") or None,
        actor=visit.get("actor") or None,
        reason=visit.get("reason") or None,
        text=visit.text() or None,
        died_since=since_ms(visit),
        died_before=moment_ms(visit.get("before")),
    )


def _meant(visit: Visit) -> DeadLetterFilter:
    """Those that were picked, or all that match."""
    if visit.get("every"):
        return _filter(visit)
    ids = list(dict.fromkeys(visit.all("id")))
    if not ids:
        raise NotFound("Nothing was picked. Tick the dead letters that are meant, or choose all that match.")
    return DeadLetterFilter(message_ids=ids)


def _action(visit: Visit) -> Literal["replay", "discard"]:
    return "discard" if visit.get("action") == "discard" else "replay"


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


def _page(desk: Desk, which: DeadLetterFilter, limit: int, offset: int) -> list[StoredMessage]:
    return list(desk.backend.dead_letters(which, limit=limit, offset=offset))
