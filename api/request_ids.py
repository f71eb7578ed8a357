"""A name for each webhook and each request of a program: the log lines of all that comes of it have it."""

from __future__ import annotations

import re
from uuid import uuid4

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from actors.context import REQUEST_ID
from actors.spans import note

HEADER = "X-Request-Id"

#: Fit for a log line and for a search in it.
_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_webhook(scope: Scope) -> bool:
    """Whether this is a request of Twilio's, not one of a load balancer or an operator."""
    return scope["type"] == "http" and str(scope["path"]).startswith("/webhooks/")


def _is_named(scope: Scope) -> bool:
    """Whether messages may come of a request, so that log lines have to tell which one it was."""
    return is_webhook(scope) or (scope["type"] == "http" and str(scope["path"]).startswith("/api/"))


class RequestIds:
    """Names requests: as the proxy did that passed them on, or with an id of its own.

    The id goes into the log lines, into the messages that are enqueued, and into the answer's header.

    Parameters:
      app: what it stands before.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not _is_named(scope):
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(Headers(scope=scope))

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = request_id
            await send(message)

        # Not unbound: each request is a task, with a context of its own that ends with it. Should it fail,
        # the server's line with the traceback comes after this, and still has the id.
        bind_contextvars(**{REQUEST_ID: request_id})
        note({"recado.request_id": request_id})
        await self._app(scope, receive, send_named)


def request_id_of(headers: Headers) -> str:
    """The id a proxy gave the request, if it is one; a new one otherwise."""
    given = headers.get(HEADER, "")
    return given if _WELL_FORMED.fullmatch(given) else uuid4().hex
