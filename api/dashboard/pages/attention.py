"""Lists what a person owes an answer or a decision, and does what the person decides."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from actors import people
from actors.conversations import Summary
from actors.conversations.reader import Attention
from actors.reply import REPLY_STATES, DecidedState

from ..context import DashboardContext
from ..language.catalogue import gettext
from ..language.stored import translated
from ..page_request import PAGE_SIZE, NotFound, PageRequest

ADDRESS = "/dashboard/attention"


class Entry(NamedTuple):
    """Holds something to be decided, and the conversation that it is in."""

    about: Attention
    summary: Summary


def attention(context: DashboardContext, request: PageRequest) -> Response:
    """Show everything that waits for a person."""
    reader = context.conversations.reader
    with_person = reader.conversations(mode="person", limit=PAGE_SIZE)
    found = reader.attention(limit=PAGE_SIZE)
    summaries = {key: reader.summary(key) for key in {each.conversation for each in found}}
    return context.render_page(
        request,
        "attention.html",
        active="attention",
        waiting=[summary for summary in with_person if summary.author == "contact"],
        entries=[
            Entry(each, summary) for each in found if (summary := summaries[each.conversation]) is not None
        ],
        at_most=PAGE_SIZE,
    )


def reply(context: DashboardContext, request: PageRequest) -> Response:
    """Show a reply, and what may be decided about it."""
    found = context.conversations.reply(request.parts["reply_id"])
    summary = None if found is None else context.conversations.reader.summary(found.conversation)
    if found is None or summary is None:
        raise NotFound(gettext("There is no such reply."))
    may_be = {state for state, rule in REPLY_STATES.items() if found.state in rule.by_hand}
    return context.render_page(
        request, "reply.html", active="conversations", reply=found, summary=summary, may_be=may_be
    )


def again(context: DashboardContext, request: PageRequest) -> Response:
    """Have a reply sent again."""
    return _decide(context, request, "send again", "pending")


def sent(context: DashboardContext, request: PageRequest) -> Response:
    """Note that a reply was sent, as the operator knows."""
    return _decide(context, request, "note as sent", "sent")


def dismiss(context: DashboardContext, request: PageRequest) -> Response:
    """Leave an entry out from now on."""
    entry_id = request.parts["entry_id"]
    with context.recorded(request, "dismiss", entry_id):
        context.conversations.dismiss(entry_id, by=request.user.name)
    return _back(request)


def _decide(context: DashboardContext, request: PageRequest, action: str, state: DecidedState) -> Response:
    reply_id = request.parts["reply_id"]
    try:
        with context.recorded(request, action, reply_id):
            people.decide(reply_id, state, by=request.user.name)
    except (people.Undecidable, people.OptedOutContact) as error:
        raise NotFound(translated(str(error))) from error
    return _back(request)


def _back(request: PageRequest) -> Response:
    """Lead to the page that the form was on: a conversation, or the list."""
    conversation = request.get("conversation")
    place = f"/dashboard/conversations/{quote(conversation, safe='')}" if conversation else ADDRESS
    return RedirectResponse(place, 303)
