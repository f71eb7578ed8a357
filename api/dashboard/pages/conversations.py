"""Shows a conversation as bubbles: the right side of the inbox."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from actors import people
from actors.conversations import Summary
from actors.conversations.reader import ThreadEntry
from actors.reply import REPLY_STATES

from ..access.permissions import GETS
from ..access.user import User
from ..context import DashboardContext
from ..language.catalogue import gettext
from ..live.event_streams import StreamEvent
from ..page_request import NotFound, PageRequest
from ..rendering.render import part
from .inbox import inbox, inbox_event
from .overview import common_events

#: How many entries at the end of a conversation are shown at first, and at most.
SHOWN, MOST_SHOWN = 100, 10_000


#: How many entries before a time are shown where a conversation is opened at that time.
BEFORE = 3

#: How far from UTC a clock may be, in minutes.
MOST_OFFSET = 14 * 60


def conversation(context: DashboardContext, request: PageRequest) -> Response:
    """Show a conversation, masked."""
    return show_conversation(context, request)


def reveal(context: DashboardContext, request: PageRequest) -> Response:
    """Show a conversation with its numbers, in the answer to a POST, and record that."""
    with context.recorded(request, "reveal conversation", request.parts["message_id"]):
        return show_conversation(context, request, reveal=True)


def day(context: DashboardContext, request: PageRequest) -> Response:  # noqa: ARG001
    """Lead to what was said on a day, as the browser's clock counts days."""
    message_id = quote(request.parts["message_id"], safe="")
    address = f"/dashboard/conversations/{message_id}"
    try:
        midnight = datetime.combine(date.fromisoformat(request.get("day")), datetime.min.time(), UTC)
        midnight += timedelta(minutes=max(-MOST_OFFSET, min(int(request.get("offset", "0")), MOST_OFFSET)))
        at_ms = int(midnight.timestamp() * 1000)
    except (ValueError, OverflowError):
        return RedirectResponse(address, 303)
    return RedirectResponse(f"{address}?around={max(at_ms, 1)}", 303)


def note(context: DashboardContext, request: PageRequest) -> Response:
    """Note down what an operator wants others to know of the contact."""
    message_id, text = request.parts["message_id"], request.get("note")
    summary = find_summary(context, message_id)
    if not text or len(text) > people.MOST_NOTE:
        trouble = gettext("A note has between 1 and {most} characters.", most=people.MOST_NOTE)
        return show_conversation(context, request, trouble=trouble, status=422)
    note_id = f"{request.get('key') or secrets.token_urlsafe(12)}"
    with context.recorded(request, "note", message_id):
        context.conversations.add_note(summary.conversation, note_id, text, by=request.user.name)
    return RedirectResponse(f"/dashboard/conversations/{quote(message_id, safe='')}#about", 303)


def delete_note(context: DashboardContext, request: PageRequest) -> Response:
    """Delete a note. One that is gone already is as it should be."""
    message_id = request.parts["message_id"]
    summary = find_summary(context, message_id)
    with context.recorded(request, "delete note", message_id):
        context.conversations.delete_note(summary.conversation, request.get("note_id"))
    return RedirectResponse(f"/dashboard/conversations/{quote(message_id, safe='')}#about", 303)


def events(context: DashboardContext, message_id: str, which: str, user: User) -> list[StreamEvent]:
    """Return what changes on the page of a conversation that a user has open."""
    _see(context, find_summary(context, message_id), user)
    shown = _thread(context, message_id, SHOWN, user)
    thread = part("parts/thread.html", **shown, revealed=False)
    mode = part("parts/mode.html", **shown)
    list_ = inbox_event(context, which, user, message_id=shown["summary"].message_id)
    return [*common_events(context, context.sampler.snapshot()), ("thread", thread), ("mode", mode), list_]


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
    around = request.number("around", most=2**53)
    is_live = not (reveal or around) and shown == SHOWN
    _see(context, find_summary(context, message_id), request.user)
    listed = inbox(context, request)
    return context.render_page(
        request,
        "conversation.html",
        active="conversations",
        status=status,
        live=f"of=conversation&id={quote(message_id)}&which={listed['which']}" if is_live else "",
        revealed=reveal,
        draft=draft,
        trouble=trouble,
        key=secrets.token_urlsafe(12),
        **listed,
        **_thread(context, message_id, shown, request.user, around=around),
    )


def _see(context: DashboardContext, summary: Summary, user: User) -> None:
    """Note that one who answers has the conversation open. A reader looks without a trace."""
    if summary.is_unread and user.sees_people:
        context.conversations.see(summary.conversation)


def _thread(
    context: DashboardContext, message_id: str, shown: int, user: User, *, around: int = 0
) -> dict[str, Any]:
    summary, reader = find_summary(context, message_id), context.conversations.reader
    thread = reader.thread(summary.conversation, limit=(MOST_SHOWN if around else shown) + 1)
    page = _around(thread, around) if around else thread[-shown:]
    may_see = user.may(GETS["/media/{message_id}/{number}"])
    media = context.attachments.of(reader, summary.channel, page) if may_see else {}
    return {
        "media": media,  # not for readers: it cannot be masked
        "sees_model_calls": user.may(GETS["/replies/{reply_id}/model-call"]),
        "summary": summary,
        "message_id": message_id,
        "thread": page,
        "around": around,
        "has_more": bool(page) and page[0] != thread[0],
        "facts": reader.facts(summary.conversation),
        "shown": shown,
        "latest_by_hand": latest_by_hand(thread),
        "by_hand": REPLY_STATES["pending"].by_hand,
    }


def _around(thread: Sequence[ThreadEntry], at_ms: int) -> Sequence[ThreadEntry]:
    """Return what was said from a time on, with a little before it; the end where nothing was."""
    first = next((place for place, entry in enumerate(thread) if entry.at >= at_ms), len(thread))
    first = max(0, first - BEFORE)
    return thread[first : first + SHOWN]


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
        raise NotFound(
            gettext("There is no conversation with the message {message_id}.", message_id=message_id)
        )
    return summary
