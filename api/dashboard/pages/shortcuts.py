"""Shows which keys do what."""

from __future__ import annotations

from starlette.responses import Response

from ..context import DashboardContext
from ..language.catalogue import translatable
from ..page_request import PageRequest

#: The keys, as static/keys.js reads them, and what they do.
KEYS = (
    ("j", translatable("go to the next conversation of the list")),
    ("k", translatable("go to the conversation before")),
    ("Enter", translatable("open the conversation that is marked")),
    ("r", translatable("write a reply")),
    ("t", translatable("take the conversation over")),
    ("h", translatable("hand it back to the assistant")),
    ("/", translatable("search")),
    ("?", translatable("show this page")),
)


def shortcuts(context: DashboardContext, request: PageRequest) -> Response:
    """Show the keys."""
    return context.render_page(request, "keys.html", active="conversations", keys=KEYS)
