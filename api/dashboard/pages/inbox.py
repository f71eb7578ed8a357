"""Lists conversations, the latest first: the left side of the inbox."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import urlencode

from starlette.responses import Response

from actors.conversation import Mode
from actors.conversations import Summary
from actors.conversations.reader import Listed, PageStart

from ..access.user import User
from ..context import DashboardContext
from ..language.catalogue import translatable
from ..live.event_streams import StreamEvent
from ..page_request import PAGE_SIZE, PageRequest
from ..rendering.render import part
from .overview import common_events


class Which(NamedTuple):
    """Holds a list that can be chosen, and what it says when it is empty."""

    label: str
    empty: str
    mode: Mode | None = None
    listed: Listed | None = None


#: The lists, by their names in addresses.
LISTS: Mapping[str, Which] = {
    "": Which(translatable("All"), translatable("Nobody has written yet.")),
    "waiting": Which(
        translatable("Waits for a person"), translatable("Nobody waits for a person."), listed="waiting"
    ),
    "unread": Which(translatable("Unread"), translatable("Everything was read."), listed="unread"),
    "person": Which(
        translatable("A person answers"), translatable("No person answers anybody."), mode="person"
    ),
    "assistant": Which(
        translatable("The assistant answers"), translatable("The assistant answers nobody."), mode="assistant"
    ),
    "nobody": Which(translatable("Nobody answers"), translatable("No contact has opted out."), mode="nobody"),
    "undelivered": Which(
        translatable("Not delivered"), translatable("Everything got through."), listed="undelivered"
    ),
}


def conversations(context: DashboardContext, request: PageRequest) -> Response:
    """Show a page of conversations."""
    shown = inbox(context, request)
    return context.render_page(
        request,
        "conversations.html",
        active="conversations",
        live="" if shown["after"] else f"of=inbox&which={shown['which']}",
        **shown,
    )


def inbox(context: DashboardContext, request: PageRequest) -> dict[str, Any]:
    """Return what a page of conversations shows. The request's fields say which list, and after what."""
    return {**_page(context, request.get("which"), request.get("after")), "user": request.user}


def events(context: DashboardContext, which: str, user: User) -> list[StreamEvent]:
    """Return what changes on the page of a list that a user has open."""
    return [*common_events(context, context.sampler.snapshot()), inbox_event(context, which, user)]


def inbox_event(context: DashboardContext, which: str, user: User, *, message_id: str = "") -> StreamEvent:
    """Return the first page of a list as it is now, with the conversation that is open marked."""
    shown = _page(context, which, "")
    return ("inbox", part("parts/inbox_list.html", **shown, user=user, message_id=message_id))


def _page(context: DashboardContext, which: str, after: str) -> dict[str, Any]:
    which = which if which in LISTS else ""
    chosen, reader = LISTS[which], context.conversations.reader
    found = reader.conversations(
        mode=chosen.mode, listed=chosen.listed, limit=PAGE_SIZE + 1, after=_place(context, after)
    )
    page = found[:PAGE_SIZE]
    return {
        "lists": LISTS,
        "which": which,
        "after": after,
        "summaries": page,
        "next_page": urlencode({"which": which, "after": _after(page[-1])}) if len(found) > PAGE_SIZE else "",
    }


def _after(last: Summary) -> str:
    """Name the end of a page by a message, since the key of a conversation has a number in it."""
    return f"{last.last_at}.{last.message_id}"


def _place(context: DashboardContext, after: str) -> PageStart | None:
    last_at, _, message_id = after.partition(".")
    if not (last_at.isascii() and last_at.isdigit() and len(last_at) < 16):
        return None
    return PageStart(int(last_at), context.conversations.reader.conversation_of(message_id) or "")
