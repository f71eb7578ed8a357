"""Has an operator answer a conversation in place of the assistant: take over, write, hand back."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from actors import people
from actors.conversations.reader import ThreadEntry

from ..context import DashboardContext
from ..language.catalogue import gettext
from ..language.stored import translated
from ..page_request import PageRequest
from .conversations import find_summary, latest_by_hand, show_conversation

#: How far back it is looked for what another operator wrote, in entries.
LOOK_BACK = 50


def take(context: DashboardContext, request: PageRequest) -> Response:
    """Have the operator answer from now on."""
    return _change(context, request, "take over conversation", people.take_over)


def hand_back(context: DashboardContext, request: PageRequest) -> Response:
    """Have the assistant answer again."""
    return _change(context, request, "hand back conversation", people.hand_back)


def say(context: DashboardContext, request: PageRequest) -> Response:
    """Send what the operator wrote, and have them answer from now on.

    The form has a key, so that a form that is sent twice is one text. It also names the last text by a person
    when the page was made: if another operator has written since, the text is shown again and not sent.
    """
    message_id, text = request.parts["message_id"], request.get("text")
    summary = find_summary(context, message_id)
    latest = latest_by_hand(context.conversations.reader.thread(summary.conversation, limit=LOOK_BACK))
    key = request.get("key") or None
    if latest is not None and not _is_expected(latest, request, summary.conversation, key):
        trouble = gettext(
            "{who} wrote while you did. Read it, and send yours again if it still fits.",
            who=latest.written_by,
        )
        return show_conversation(context, request, draft=text, trouble=trouble, status=409)
    try:
        with context.recorded(request, "answer by hand", message_id):
            people.say(summary.conversation, text, by=request.user.name, key=key, takes_over=True)
    except (ValueError, people.OptedOutContact, people.KeyTaken) as error:
        return show_conversation(context, request, draft=text, trouble=translated(str(error)), status=422)
    return _back_to(message_id)


def _is_expected(latest: ThreadEntry, request: PageRequest, conversation: str, key: str | None) -> bool:
    """Whether the last text by a person is the one that the page showed, or this very text, sent twice.

    Its writer's name does not tell: several operators may sign in with one password.
    """
    if latest.reply_id == request.get("seen"):
        return True
    own = None if key is None else people.reply_id_of(conversation, key)
    return own is not None and (latest.reply_id or "").startswith(own)  # or a further part of it


def _change(
    context: DashboardContext, request: PageRequest, action: str, change: Callable[..., None]
) -> Response:
    message_id = request.parts["message_id"]
    summary = find_summary(context, message_id)
    try:
        with context.recorded(request, action, message_id):
            change(summary.conversation, by=request.user.name)
    except people.OptedOutContact as error:
        return show_conversation(context, request, trouble=translated(str(error)), status=409)
    return _back_to(message_id)


def _back_to(message_id: str) -> Response:
    return RedirectResponse(f"/dashboard/conversations/{quote(message_id, safe='')}#composer", 303)
