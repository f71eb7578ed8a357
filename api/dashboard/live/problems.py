"""Judges a snapshot: says what is wrong right now, in sentences. Nothing here looks anything up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple
from urllib.parse import quote, urlencode

from brokers.records import QueueStats

from ..language.catalogue import gettext, ngettext, translatable
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
        *_budget(snapshot),
        *_engine(snapshot),
        *_stores(snapshot),
        *_spool(snapshot),
        *(problem for queue in snapshot.queues for problem in _queue(snapshot, queue)),
        *_children(snapshot),
        *_signatures(snapshot),
    ]
    return sorted(found, key=lambda problem: problem.severity != "bad")


def _in_attention(text: str) -> Problem:
    """Make a problem that a person decides about."""
    return Problem("bad", text, "/dashboard/attention", gettext("Attention"))


def _customers(snapshot: Snapshot) -> Iterator[Problem]:
    most = snapshot.at_most_need_person
    if count := snapshot.need_person:
        text = ngettext(
            "{n} customer waits for a person to answer.", "{n} customers wait for a person to answer.", count
        )
        yield _in_attention(_at_least(text) if count >= most else text)
    is_cut = snapshot.no_answer + snapshot.not_through >= most
    if count := snapshot.no_answer:
        text = ngettext("{n} message got no answer.", "{n} messages got no answer.", count)
        yield _in_attention(_at_least(text) if is_cut else text)
    if count := snapshot.not_through:
        text = ngettext(
            "{n} reply did not get through, or perhaps not.",
            "{n} replies did not get through, or perhaps not.",
            count,
        )
        yield _in_attention(_at_least(text) if is_cut else text)


def _at_least(text: str) -> str:
    """Say that a number at the beginning of a text is as far as was counted."""
    return gettext("At least {text}", text=text)


def _engine(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.engine_error is not None:
        text = gettext("The queue's engine is away: {why}", why=snapshot.engine_error)
        yield Problem("bad", text, "#queues", gettext("Queues"))


#: For each store what is wrong while it is away and what follows from that, and the link and its text.
_STORES = {
    "conversations": (
        translatable("The conversations cannot be used: {why}. Messages wait until they can, and expire."),
        ("/dashboard/conversations", translatable("Conversations")),
    ),
    "spool": (
        translatable("The spool cannot be used: {why}. Webhooks are refused if Redis is away."),
        ("#front-door", translatable("Front door")),
    ),
    "audit": (
        translatable("The audit log cannot be written: {why}. Until then nothing can be changed here."),
        ("/dashboard/audit", translatable("Audit")),
    ),
}


def _budget(snapshot: Snapshot) -> Iterator[Problem]:
    where = ("/dashboard/usage", gettext("Usage"))
    if snapshot.budget_used is None:
        return
    if snapshot.budget_used >= 1:
        text = gettext("The budget of the day is used up: the assistant is silent until tomorrow, in UTC.")
        yield Problem("bad", text, *where)
    else:
        percent = f"{snapshot.budget_used:.0%}"
        yield Problem("warn", gettext("{percent} of the budget of the day is used.", percent=percent), *where)


def _stores(snapshot: Snapshot) -> Iterator[Problem]:
    for name, why in snapshot.stores.items():
        text, (link, link_text) = _STORES[name]
        yield Problem("bad", gettext(text, why=why), link, gettext(link_text))


def _spool(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.spool is None or (snapshot.spool_trouble is None and not snapshot.spool.messages):
        return
    waiting = gettext(
        "{webhooks} in this machine's spool", webhooks=quantity(snapshot.spool.messages, "webhook")
    )
    if snapshot.spool.messages:
        age = duration(snapshot.spool.oldest_age_s)
        waiting = gettext("{waiting}, the oldest for {time}", waiting=waiting, time=age)
    why = "" if snapshot.spool_trouble is None else f" ({snapshot.spool_trouble})"
    text = gettext("Webhooks go to the spool{why}: {waiting}.", why=why, waiting=waiting)
    yield Problem("warn", text, "#front-door", gettext("Front door"))


def _queue(snapshot: Snapshot, queue: QueueStats) -> Iterator[Problem]:
    page, name = f"/dashboard/queues/{quote(queue.queue, safe='')}", queue.queue
    if queue.paused:
        if queue.ready:
            messages = quantity(queue.ready, "message")
            text = gettext("{queue} is paused: {messages} waiting.", queue=name, messages=messages)
        else:
            text = gettext("{queue} is paused.", queue=name)
        yield Problem("warn", text, page, name)
    else:
        yield from _waits(snapshot, queue, page)
    if recent := snapshot.recent_dead.get(name, 0):
        text = ngettext(
            "{n} dead letter of the last hour waits in {queue}.",
            "{n} dead letters of the last hour wait in {queue}.",
            recent,
            queue=name,
        )
        text = _at_least(text) if recent >= snapshot.at_most_recent else text
        where = "/dashboard/dead-letters?" + urlencode({"queue": name, "since": "1h"})
        yield Problem("bad", text, where, gettext("Dead letters"))


def _waits(snapshot: Snapshot, queue: QueueStats, page: str) -> Iterator[Problem]:
    oldest_s = queue.seconds_since(queue.oldest_due_at) or 0.0 if queue.ready else 0.0
    longest_s = queue.seconds_since(queue.waits_since) or 0.0
    stalled_s = snapshot.stalled_s.get(queue.queue, 0.0)
    name = queue.queue
    if oldest_s >= STALLED_S and stalled_s >= STALLED_S and not queue.running:
        text = gettext(
            "The oldest message of {queue} has waited for {time}, and nothing is being done. "
            "Does a worker run?",
            queue=name,
            time=duration(oldest_s),
        )
        yield Problem("bad", text, page, name)
    elif oldest_s >= SLOW_S:
        text = gettext(
            "The oldest message of {queue} has waited for {time}; {messages} waiting.",
            queue=name,
            time=duration(oldest_s),
            messages=quantity(queue.ready, "message"),
        )
        yield Problem("warn", text, page, name)
    elif longest_s >= RETRIED_S:
        text = gettext(
            "A message of {queue} has been tried for {time}, and is not done.",
            queue=name,
            time=duration(longest_s),
        )
        yield Problem("warn", text, page, name)


def _children(snapshot: Snapshot) -> Iterator[Problem]:
    if snapshot.supervisor is None:
        return
    children = snapshot.supervisor.get("children", ())
    workers = [child for child in children if child.get("kind") == "worker"]
    if workers and all(child.get("state") not in {"ready", "starting", "draining"} for child in workers):
        yield Problem("bad", gettext("No worker runs."), "#processes", gettext("Processes"))
    for child in children:
        yield from _child(snapshot, child)


def _child(snapshot: Snapshot, child: Mapping[str, Any]) -> Iterator[Problem]:
    name, here = child.get("name", "a child"), ("#processes", gettext("Processes"))
    if child.get("failed"):
        yield Problem("bad", gettext("{process} failed: {why}", process=name, why=child["failed"]), *here)
    elif (times := snapshot.restarts.get(name, 0)) >= MANY_RESTARTS:
        text = gettext("{process} was restarted {times} times in ten minutes.", process=name, times=times)
        if child.get("last_end"):
            last = gettext("Last: {why}", why=child["last_end"])
            text = f"{text} {last}"
        yield Problem("bad", text, *here)
    if (child.get("heard_s_ago") or 0.0) >= SILENT_S:
        time = duration(child["heard_s_ago"])
        yield Problem(
            "warn", gettext("{process} has been silent for {time}.", process=name, time=time), *here
        )
    if stuck := child.get("stuck"):
        text = ngettext(
            "{process} has {n} stuck message.", "{process} has {n} stuck messages.", stuck, process=name
        )
        yield Problem("warn", text, *here)


def _signatures(snapshot: Snapshot) -> Iterator[Problem]:
    if bad := snapshot.webhooks.get("bad_signature", 0):
        text = gettext(
            "{webhooks} with a wrong signature in the last ten minutes. Somebody tries, or "
            "TWILIO_AUTH_TOKEN or PUBLIC_BASE_URL is not Twilio's.",
            webhooks=quantity(bad, "webhook"),
        )
        yield Problem("bad", text, "#front-door", gettext("Front door"))
