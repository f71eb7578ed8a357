"""Lists conversations, the latest first, and shows each of them as bubbles."""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Any, get_args

from starlette.responses import Response

from actors.conversation import Mode
from actors.conversations import Summary
from actors.conversations.reader import ThreadEntry
from actors.reply import REPLY_STATES

from ..access.user import User
from ..context import DashboardContext
from ..live.event_streams import StreamEvent
from ..page_request import PAGE_SIZE, NotAllowed, NotFound, PageRequest
from ..rendering.masking import SEPARATORS
from ..rendering.render import part
from .overview import common_events

MODES: tuple[Mode, ...] = get_args(Mode)

#: How many entries at the end of a conversation are shown at first, and at most.
SHOWN, MOST_SHOWN = 100, 10_000


def conversations(context: DashboardContext, request: PageRequest) -> Response:
    """Show a page of conversations."""
    contact = _contact(request)
    start = request.number("from")
    mode = next((each for each in MODES if each == request.get("mode")), None)
    found = context.conversations.reader.conversations(
        contact=contact or None, mode=mode, limit=PAGE_SIZE + 1, offset=start
    )
    return context.render_page(
        request,
        "conversations.html",
        active="conversations",
        summaries=found[:PAGE_SIZE],
        contact=request.get("contact"),
        mode=mode,
        start=start,
        at_end=len(found) <= PAGE_SIZE,
    )


def conversation(context: DashboardContext, request: PageRequest) -> Response:
    """Show a conversation, masked."""
    return show_conversation(context, request)


def reveal(context: DashboardContext, request: PageRequest) -> Response:
    """Show a conversation with its numbers, in the answer to a POST, and record that."""
    with context.recorded(request, "reveal conversation", request.parts["message_id"]):
        return show_conversation(context, request, reveal=True)


def events(context: DashboardContext, message_id: str, user: User) -> list[StreamEvent]:
    """Return what changes on the page of a conversation that a user has open."""
    shown = _thread(context, message_id, SHOWN, user)
    thread = part("parts/thread.html", **shown, revealed=False)
    mode = part("parts/mode.html", **shown)
    return [*common_events(context, context.sampler.snapshot()), ("thread", thread), ("mode", mode)]


def show_conversation(
    context: DashboardContext,
    request: PageRequest,
    *,
    reveal: bool = False,
    draft: str = "",
    trouble: str = "",
    status: int = 200,
) -> Response:
    """Show a conversation.

    Parameters:
      context: what the page shows.
      request: the request that the page answers.
      reveal: as it is, nothing masked.
      draft: a text that was written and not sent, and stands in the form again.
      trouble: why not.
      status: of the answer.
    """
    message_id = request.parts["message_id"]
    shown = request.number("show", SHOWN, most=MOST_SHOWN) or SHOWN
    is_live = not reveal and shown == SHOWN
    return context.render_page(
        request,
        "conversation.html",
        active="conversations",
        status=status,
        live=f"of=conversation&id={message_id}" if is_live else "",
        revealed=reveal,
        draft=draft,
        trouble=trouble,
        key=secrets.token_urlsafe(12),
        **_thread(context, message_id, shown, request.user),
    )


def _thread(context: DashboardContext, message_id: str, shown: int, user: User) -> dict[str, Any]:
    summary, reader = find_summary(context, message_id), context.conversations.reader
    thread = reader.thread(summary.conversation, limit=shown + 1)
    media = context.attachments.of(reader, summary.channel, thread[-shown:]) if user.is_operator else {}
    return {
        "media": media,  # for operators: it cannot be masked
        "summary": summary,
        "message_id": message_id,
        "thread": thread[-shown:],
        "has_more": len(thread) > shown,
        "shown": shown,
        "latest_by_hand": latest_by_hand(thread),
        "by_hand": REPLY_STATES["pending"].by_hand,
    }


def latest_by_hand(thread: Sequence[ThreadEntry]) -> ThreadEntry | None:
    """Return the last that a person of the shop wrote."""
    return next((entry for entry in reversed(thread) if entry.written_by is not None), None)


def find_summary(context: DashboardContext, message_id: str) -> Summary:
    """Return the conversation that a message is in.

    Raises:
      NotFound: there is none.
    """
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
