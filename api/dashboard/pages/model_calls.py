"""Shows what a model was asked for a reply, which tools it called, and what that took."""

from __future__ import annotations

from typing import Any

from starlette.responses import HTMLResponse, Response

from ..context import DashboardContext
from ..language.catalogue import gettext
from ..page_request import NotFound, PageRequest
from ..rendering.render import part


def model_call(context: DashboardContext, request: PageRequest) -> Response:
    """Show it: as a page, or as the part of a page that htmx asks for.

    Raises:
      NotFound: there is no such reply, or no model wrote it.
    """
    reply_id = request.parts["reply_id"]
    call = context.conversations.reader.model_call(reply_id)
    reply = context.conversations.reply(reply_id)
    summary = None if reply is None else context.conversations.reader.summary(reply.conversation)
    if call is None or reply is None or summary is None:
        raise NotFound(gettext("There is no such reply, or no model wrote it."))
    shown: dict[str, Any] = {
        "call": call,
        "currency": context.settings.currency,
        "keeps": context.settings.ai_keep_prompts,
    }
    if request.in_part:
        return HTMLResponse(part("parts/model_call.html", **shown))
    return context.render_page(
        request, "model_call.html", active="conversations", reply=reply, summary=summary, **shown
    )
