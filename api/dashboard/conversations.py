"""Conversations: who wrote last, and each as bubbles."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from actors.conversations import Summary

from .desk import Desk
from .events import Event
from .masking import SEPARATORS
from .overview import common_events
from .render import part
from .visits import PAGE, NotAllowed, NotFound, Visit

#: How much of a conversation's end is shown at first, and at most.
SHOWN, MOST_SHOWN = 100, 10_000


def conversations(desk: Desk, visit: Visit) -> Response:
    contact = _contact(visit)
    start = visit.number("from")
    found = desk.conversations.reader.conversations(contact=contact or None, limit=PAGE + 1, offset=start)
    return desk.page(
        visit,
        "conversations.html",
        active="conversations",
        summaries=found[:PAGE],
        contact=visit.get("contact"),
        start=start,
        at_end=len(found) <= PAGE,
    )


def conversation(desk: Desk, visit: Visit) -> Response:
    return _show(desk, visit, reveal=False)


def reveal(desk: Desk, visit: Visit) -> Response:
    """The conversation with its numbers, in the answer to a POST."""
    entry = desk.acting(visit, "reveal conversation", visit.parts["message_id"])
    answer = _show(desk, visit, reveal=True)
    desk.audit.count(entry, done=1, outcome="done")
    return answer


def events(desk: Desk, message_id: str) -> list[Event]:
    """What changes on the page of a conversation."""
    thread = part("parts/thread.html", **_thread(desk, message_id, SHOWN), revealed=False)
    return [*common_events(desk, desk.watch.facts()), ("thread", thread)]


def _show(desk: Desk, visit: Visit, *, reveal: bool) -> Response:
    message_id = visit.parts["message_id"]
    shown = visit.number("show", SHOWN, most=MOST_SHOWN) or SHOWN
    is_live = not reveal and shown == SHOWN
    return desk.page(
        visit,
        "conversation.html",
        active="conversations",
        live=f"of=conversation&id={message_id}" if is_live else "",
        revealed=reveal,
        **_thread(desk, message_id, shown),
    )


def _thread(desk: Desk, message_id: str, shown: int) -> dict[str, Any]:
    summary = _summary(desk, message_id)
    thread = desk.conversations.reader.thread(summary.conversation, limit=shown + 1)
    return {
        "summary": summary,
        "message_id": message_id,
        "thread": thread[-shown:],
        "has_more": len(thread) > shown,
        "shown": shown,
    }


def _summary(desk: Desk, message_id: str) -> Summary:
    key = desk.conversations.reader.conversation_of(message_id)
    summary = None if key is None else desk.conversations.reader.summary(key)
    if summary is None:
        raise NotFound(f"There is no conversation with the message {message_id}.")
    return summary


def _contact(visit: Visit) -> str:
    """What is searched for, as addresses are written: without what people put between digits.

    Raises:
      NotAllowed: a viewer searches, and so could find out a number that is masked.
    """
    wanted = visit.get("contact")
    if wanted and not visit.visitor.may_act:
        raise NotAllowed("Viewers cannot search for contacts: that would tell them masked numbers.")
    is_number = re.fullmatch(rf"[\d+{SEPARATORS}]+", wanted) is not None
    return re.sub(rf"[{SEPARATORS}]", "", wanted) if is_number else wanted
