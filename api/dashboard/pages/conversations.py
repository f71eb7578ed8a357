"""Lists conversations, the latest first, and shows each of them as bubbles."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from actors.conversations import Summary

from ..context import DashboardContext
from ..live.event_streams import StreamEvent
from ..page_request import PAGE_SIZE, NotAllowed, NotFound, PageRequest
from ..rendering.masking import SEPARATORS
from ..rendering.render import part
from .overview import common_events

#: How many entries at the end of a conversation are shown at first, and at most.
SHOWN, MOST_SHOWN = 100, 10_000


def conversations(context: DashboardContext, request: PageRequest) -> Response:
    """Show a page of conversations."""
    contact = _contact(request)
    start = request.number("from")
    found = context.conversations.reader.conversations(
        contact=contact or None, limit=PAGE_SIZE + 1, offset=start
    )
    return context.render_page(
        request,
        "conversations.html",
        active="conversations",
        summaries=found[:PAGE_SIZE],
        contact=request.get("contact"),
        start=start,
        at_end=len(found) <= PAGE_SIZE,
    )


def conversation(context: DashboardContext, request: PageRequest) -> Response:
    """Show a conversation, masked."""
    return _show(context, request, reveal=False)


def reveal(context: DashboardContext, request: PageRequest) -> Response:
    """Show a conversation with its numbers, in the answer to a POST, and record that."""
    entry = context.record_action(request, "reveal conversation", request.parts["message_id"])
    answer = _show(context, request, reveal=True)
    context.audit.record_progress(entry, done=1, outcome="done")
    return answer


def events(context: DashboardContext, message_id: str) -> list[StreamEvent]:
    """Return what changes on the page of a conversation."""
    thread = part("parts/thread.html", **_thread(context, message_id, SHOWN), revealed=False)
    return [*common_events(context, context.sampler.snapshot()), ("thread", thread)]


def _show(context: DashboardContext, request: PageRequest, *, reveal: bool) -> Response:
    message_id = request.parts["message_id"]
    shown = request.number("show", SHOWN, most=MOST_SHOWN) or SHOWN
    is_live = not reveal and shown == SHOWN
    return context.render_page(
        request,
        "conversation.html",
        active="conversations",
        live=f"of=conversation&id={message_id}" if is_live else "",
        revealed=reveal,
        **_thread(context, message_id, shown),
    )


def _thread(context: DashboardContext, message_id: str, shown: int) -> dict[str, Any]:
    summary = _summary(context, message_id)
    thread = context.conversations.reader.thread(summary.conversation, limit=shown + 1)
    return {
        "summary": summary,
        "message_id": message_id,
        "thread": thread[-shown:],
        "has_more": len(thread) > shown,
        "shown": shown,
    }


def _summary(context: DashboardContext, message_id: str) -> Summary:
    key = context.conversations.reader.conversation_of(message_id)
    summary = None if key is None else context.conversations.reader.summary(key)
    if summary is None:
        raise NotFound(f"There is no conversation with the message {message_id}.")
    return summary


def _contact(request: PageRequest) -> str:
    """Return the contact that is searched for, without what people put between digits.

    Raises:
      NotAllowed: a viewer searches, and so could find out a number that is masked.
    """
    wanted = request.get("contact")
    if wanted and not request.user.is_operator:
        raise NotAllowed("Viewers cannot search for contacts: that would tell them masked numbers.")
    is_number = re.fullmatch(rf"[\d+{SEPARATORS}]+", wanted) is not None
    return re.sub(rf"[{SEPARATORS}]", "", wanted) if is_number else wanted
