"""Shows one message: its payload, what happened to it, what went wrong, and its conversation."""

from __future__ import annotations

from starlette.responses import Response

from ..context import DashboardContext
from ..language.catalogue import gettext
from ..page_request import NotFound, PageRequest
from ..rendering.masking import mask, mask_text
from ..rendering.payloads import message_of, readable
from .message_conversation import conversation_of, reply_to
from .timeline import timeline


def message(context: DashboardContext, request: PageRequest) -> Response:
    """Show a message, masked."""
    return _show(context, request, reveal=False)


def reveal(context: DashboardContext, request: PageRequest) -> Response:
    """Show a message unmasked, in the answer to a POST, so that no link leads here a second time."""
    with context.recorded(request, "reveal message", request.parts["message_id"]):
        return _show(context, request, reveal=True)


def _show(context: DashboardContext, request: PageRequest, *, reveal: bool) -> Response:
    message_id = request.parts["message_id"]
    summary = conversation_of(context, message_id, None)
    stored = context.backend.get(message_id)
    if stored is None:
        if summary is None:
            raise NotFound(
                gettext(
                    "There is no message {message_id}: it never was, or it is done.", message_id=message_id
                )
            )
        return context.render_page(request, "done.html", message_id=message_id, summary=summary)
    body = message_of(stored.payload)
    summary = summary or conversation_of(context, message_id, body)
    answer = None if summary is None else reply_to(context, summary, message_id, body)
    options = body.get("options", {})
    return context.render_page(
        request,
        "message.html",
        message=stored,
        revealed=reveal,
        payload=readable(stored.payload, reveal=reveal),
        options=options if reveal else mask(options),
        error=stored.last_error if reveal or stored.last_error is None else mask_text(stored.last_error),
        summary=summary,
        answer=answer,
        timeline=list(timeline(stored, body, answer)),
    )
