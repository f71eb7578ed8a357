"""Judges a snapshot: says what is wrong right now, in sentences. Nothing here looks anything up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

from brokers.records import QueueStats

from ..rendering.humanize import duration, quantity
from .snapshot import Snapshot

#: A message that has waited for so long while nothing was finished is a problem, in seconds.
STALLED_S = 30

#: A message that has waited for so long is a problem whatever is being done, in seconds.
SLOW_S = 120

#: A message that was tried before and is not done after so long is a problem, in seconds: a backoff ends
#: sooner.
RETRIED_S = 300

#: A worker that sent no heartbeat for so long is a problem, in seconds. Workers send one every second.
SILENT_S = 5

#: So many restarts within the time that `Snapshot.restarts` looks back are a problem.
MANY_RESTARTS = 3

Severity = Literal["bad", "warn"]


class Problem(NamedTuple):
    """Describes something that an operator should look at.

    Attributes:
      severity: bad when answers do not go out or an operator has to act; warn when it may pass by itself.
      text: a sentence.
      link: the address of the place to look at.
      link_text: the name of that place.
    """

    severity: Severity
    text: str
    link: str
    link_text: str


def problems(snapshot: Snapshot) -> Sequence[Problem]:
    """Return what is wrong, the worst first."""
    found = [
        *_customers(snapshot),
        *_engine(snapshot),
        *_stores(snapshot),
        *_spool(snapshot),
        *(problem for queue in snapshot.queues for problem in _queue(snapshot, queue)),
        *_children(snapshot),
        *_signatures(snapshot),
    ]
    return sorted(found, key=lambda problem: problem.severity != "bad")


#: Where a person decides.
_ATTENTION = ("/dashboard/attention", "Attention")


def _customers(snapshot: Snapshot) -> Iterator[Problem]:
    if count := snapshot.need_person:
        how_many = "At least " if count >= snapshot.at_most_need_person else ""
        verb = "waits" if count == 1 else "wait"
        text = f"{how_many}{quantity(count, 'customer')} {verb} for a person to answer."
        yield Problem("bad", text, *_ATTENTION)
    how_many = (
        "At least " if snapshot.no_answer + snapshot.not_through >= snapshot.at_most_need_person else ""
    )
    if count := snapshot.no_answer:
        yield Problem("bad", f"{how_many}{quantity(count, 'message')} got no answer.", *_ATTENTION)
    if count := snapshot.not_through:
        text = f"{how_many}{quantity(count, 'reply', 'replies')} did not get through, or perhaps not."
        yield Problem("bad", text, *_ATTENTION)


def _engine(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.engine_error is not None:
        yield Problem("bad", f"The queue's engine is away: {snapshot.engine_error}", "#queues", "Queues")


#: For each store what is wrong while it is away, what follows from that, and the link and its text.
_STORES = {
    "conversations": (
        "The conversations cannot be used",
        "Messages wait until they can, and expire.",
        ("/dashboard/conversations", "Conversations"),
    ),
    "spool": (
        "The spool cannot be used",
        "Webhooks are refused if Redis is away.",
        ("#front-door", "Front door"),
    ),
    "audit": (
        "The audit log cannot be written",
        "Until then nothing can be changed here.",
        ("/dashboard/audit", "Audit"),
    ),
}


def _stores(snapshot: Snapshot) -> Iterator[Problem]:
    for name, why in snapshot.stores.items():
        what, consequence, where = _STORES[name]
        yield Problem("bad", f"{what}: {why}. {consequence}", *where)


def _spool(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.spool is None or (snapshot.spool_trouble is None and not snapshot.spool.messages):
        return
    waiting = f"{quantity(snapshot.spool.messages, 'webhook')} in this machine's spool"
    if snapshot.spool.messages:
        waiting += f", the oldest for {duration(snapshot.spool.oldest_age_s)}"
    why = "" if snapshot.spool_trouble is None else f" ({snapshot.spool_trouble})"
    yield Problem("warn", f"Webhooks go to the spool{why}: {waiting}.", "#front-door", "Front door")


def _queue(snapshot: Snapshot, queue: QueueStats) -> Iterator[Problem]:
    page, name = f"/dashboard/queues/{quote(queue.queue, safe='')}", queue.queue
    if queue.paused:
        waits = f": {quantity(queue.ready, 'message')} waiting" if queue.ready else ""
        yield Problem("warn", f"{name} is paused{waits}.", page, name)
    else:
        yield from _waits(snapshot, queue, page)
    if recent := snapshot.recent_dead.get(name, 0):
        how_many = f"At least {recent:,}" if recent >= snapshot.at_most_recent else f"{recent:,}"
        letters = (
            "dead letter of the last hour waits" if recent == 1 else "dead letters of the last hour wait"
        )
        where = "/dashboard/dead-letters?" + urlencode({"queue": name, "since": "1h"})
        yield Problem("bad", f"{how_many} {letters} in {name}.", where, "Dead letters")


def _waits(snapshot: Snapshot, queue: QueueStats, page: str) -> Iterator[Problem]:
    oldest_s = queue.seconds_since(queue.oldest_due_at) or 0.0 if queue.ready else 0.0
    longest_s = queue.seconds_since(queue.waits_since) or 0.0
    stalled_s = snapshot.stalled_s.get(queue.queue, 0.0)
    text = f"The oldest message of {queue.queue} has waited for {duration(oldest_s)}"
    if oldest_s >= STALLED_S and stalled_s >= STALLED_S and not queue.running:
        yield Problem("bad", f"{text}, and nothing is being done. Does a worker run?", page, queue.queue)
    elif oldest_s >= SLOW_S:
        yield Problem("warn", f"{text}; {quantity(queue.ready, 'message')} waiting.", page, queue.queue)
    elif longest_s >= RETRIED_S:
        text = f"A message of {queue.queue} has been tried for {duration(longest_s)}, and is not done."
        yield Problem("warn", text, page, queue.queue)


def _children(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.supervisor is None:
        return
    children = snapshot.supervisor.get("children", ())
    workers = [child for child in children if child.get("kind") == "worker"]
    if workers and all(child.get("state") not in {"ready", "starting", "draining"} for child in workers):
        yield Problem("bad", "No worker runs.", "#processes", "Processes")
    for child in children:
        yield from _child(snapshot, child)


def _child(snapshot: Snapshot, child: Mapping[str, Any]) -> Iterator[Problem]:
    name, here = child.get("name", "a child"), ("#processes", "Processes")
    if child.get("failed"):
        yield Problem("bad", f"{name} failed: {child['failed']}", *here)
    elif (times := snapshot.restarts.get(name, 0)) >= MANY_RESTARTS:
        last = f" Last: {child['last_end']}" if child.get("last_end") else ""
        yield Problem("bad", f"{name} was restarted {times} times in ten minutes.{last}", *here)
    if (child.get("heard_s_ago") or 0.0) >= SILENT_S:
        yield Problem("warn", f"{name} has been silent for {duration(child['heard_s_ago'])}.", *here)
    if child.get("stuck"):
        yield Problem("warn", f"{name} has {quantity(child['stuck'], 'stuck message')}.", *here)


def _signatures(snapshot: Snapshot) -> Iterator[Problem]:
    if bad := snapshot.webhooks.get("bad_signature", 0):
        text = (
            f"{quantity(bad, 'webhook')} with a wrong signature in the last ten minutes. Somebody tries, or "
            "TWILIO_AUTH_TOKEN or PUBLIC_BASE_URL is not Twilio's."
        )
        yield Problem("bad", text, "#front-door", "Front door")
