"""Has an operator answer a conversation in place of the assistant: take over, write, hand back."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

from starlette.responses import RedirectResponse, Response

from actors import people

from ..context import DashboardContext
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
    is_mine = latest is None or latest.written_by == request.user.name
    if latest is not None and not is_mine and latest.reply_id != request.get("seen"):
        trouble = f"{latest.written_by} wrote while you did. Read it, and send yours again if it still fits."
        return show_conversation(context, request, draft=text, trouble=trouble, status=409)
    entry = context.record_action(request, "answer by hand", message_id)
    try:
        people.say(
            summary.conversation, text, by=request.user.name, key=request.get("key") or None, takes_over=True
        )
    except (ValueError, people.OptedOutContact) as error:
        context.audit.record_progress(entry, failed=1, outcome="failed")
        return show_conversation(context, request, draft=text, trouble=str(error), status=422)
    except Exception:
        context.audit.record_progress(entry, failed=1, outcome="failed")
        raise
    context.audit.record_progress(entry, done=1, outcome="done")
    return _back_to(message_id)


def _change(
    context: DashboardContext, request: PageRequest, action: str, change: Callable[..., None]
) -> Response:
    message_id = request.parts["message_id"]
    summary = find_summary(context, message_id)
    entry = context.record_action(request, action, message_id)
    try:
        change(summary.conversation, by=request.user.name)
    except people.OptedOutContact as error:
        context.audit.record_progress(entry, failed=1, outcome="failed")
        return show_conversation(context, request, trouble=str(error), status=409)
    except Exception:
        context.audit.record_progress(entry, failed=1, outcome="failed")
        raise
    context.audit.record_progress(entry, done=1, outcome="done")
    return _back_to(message_id)


def _back_to(message_id: str) -> Response:
    return RedirectResponse(f"/dashboard/conversations/{quote(message_id, safe='')}#composer", 303)
