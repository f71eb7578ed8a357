"""Lets requests with a valid token through: not too many of them, and with no body that is too large."""

from __future__ import annotations

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from ..bodies import MAX_BODY_BYTES, BodyTooLarge, ClientGone, read_body
from ..opening import Opening
from ..record_file import RecordsUnreadable
from .callers import Caller
from .problems import Refused, unavailable
from .rate_limit import RateLimit
from .tokens import TokenFile

#: Needs no token: it is the same in every installation.
OPEN = "/openapi.json"

_MAKE_ONE = "Make one with: recado tokens create --name NAME --role reader"


class Gate:
    """Stands before the API for other programs, also before addresses that are not there.

    Parameters:
      app: what it stands before.
      tokens: knows the tokens.
      limit: counts requests.
      opening: knows whether the queue is open.
    """

    def __init__(self, app: ASGIApp, *, tokens: TokenFile, limit: RateLimit, opening: Opening) -> None:
        self._app = app
        self._tokens = tokens
        self._limit = limit
        self._opening = opening

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_open = scope["type"] != "http" or scope["path"].removeprefix(scope.get("root_path", "")) == OPEN
        if is_open:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            request.state.caller = self._caller(request)
            body = await _body(request)
        except Refused as refusal:
            await refusal.response()(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    def _caller(self, request: Request) -> Caller:
        """Return the program that makes a request.

        Reading the file of tokens is one `stat`, and after a change a few kilobytes: the event loop does it.

        Raises:
          Refused: it has no valid token, or has made too many requests, or nothing could be done for it now.
        """
        headers = request.headers.getlist("authorization")
        scheme, _, secret = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
        if scheme.lower() != "bearer":
            raise _unauthenticated(f"Send a token: Authorization: Bearer recado_... {_MAKE_ONE}")
        try:
            token = self._tokens.find(secret.strip())
        except RecordsUnreadable as error:
            raise Refused("unavailable", str(error)) from error
        if token is None:
            raise _unauthenticated(f"There is no such token: it is mistyped, or was revoked. {_MAKE_ONE}")
        if self._tokens.has_expired(token):
            raise _unauthenticated(f"The token {token.name} has expired. {_MAKE_ONE}")
        if wait_s := self._limit.wait_s(token.name):
            raise Refused(
                "too-many-requests",
                f"The token {token.name} has made too many requests. Wait {wait_s} s, or raise "
                "API_V1_REQUESTS_PER_MINUTE.",
                headers={"Retry-After": str(wait_s)},
            )
        if self._opening.trouble is not None:  # to find that out once more could take long
            raise unavailable(self._opening.trouble)
        bind_contextvars(token=token.name)
        return Caller(token, "" if request.client is None else request.client.host)


def _unauthenticated(detail: str) -> Refused:
    return Refused("unauthenticated", detail, headers={"WWW-Authenticate": 'Bearer realm="recado"'})


async def _body(request: Request) -> bytes:
    try:
        return await read_body(request)
    except BodyTooLarge as error:
        raise Refused(
            "too-large", f"The body may have {MAX_BODY_BYTES:,} bytes. Send less at a time."
        ) from error
    except ClientGone as error:  # whom no answer reaches
        raise Refused("invalid", "The connection was closed in the middle of the body.") from error


def _replay(body: bytes, receive: Receive) -> Receive:
    """Have a body that was read be received once more, and then whatever comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
