"""Errors as RFC 9457 has them: what is wrong, and what to do about it, as JSON."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple

import structlog
from dramatiq.errors import BrokerError
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from actors.people import KeyTaken, OptedOutContact
from brokers.errors import MessageTooLarge, Unsupported

logger = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

#: Where the kinds of problems are explained. It is a path in Recado's repository.
EXPLAINED = "docs/api-v1.md#"

#: When to come again while the engine is away, in seconds.
AWAY_RETRY_S = 5


class Kind(NamedTuple):
    """A kind of problem: the status of its answer, and its title."""

    status: int
    title: str


#: Every kind, by the last part of its type.
KINDS: Mapping[str, Kind] = {
    "unauthenticated": Kind(401, "No valid token"),
    "forbidden": Kind(403, "The token may not do this"),
    "not-found": Kind(404, "There is no such thing"),
    "method-not-allowed": Kind(405, "The address has no such method"),
    "opted-out": Kind(409, "The contact has opted out"),
    "key-taken": Kind(409, "The idempotency key names another text"),
    "too-large": Kind(413, "The body is too large"),
    "invalid": Kind(422, "The request is not valid"),
    "too-many-requests": Kind(429, "Too many requests"),
    "internal": Kind(500, "A fault of Recado's"),
    "unsupported": Kind(501, "The engine cannot do this"),
    "unavailable": Kind(503, "The engine is away"),
}


class InvalidPart(BaseModel):
    """A part of a request that is not valid."""

    location: str = Field(description="where it is: query.limit, body.text, header.idempotency-key")
    detail: str = Field(description="what is wrong with it")


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str = Field(description="the kind of problem: where it is explained")
    title: str = Field(description="the kind of problem in words")
    status: int = Field(description="the HTTP status")
    detail: str = Field(description="what is wrong this time, and what to do about it")
    errors: list[InvalidPart] | None = Field(None, description="with status 422: each part that is not valid")


class Refused(Exception):
    """A request is answered with a problem.

    Parameters:
      kind: one of `KINDS`.
      detail: what is wrong, and what to do about it.
      headers: of the answer.
    """

    def __init__(self, kind: str, detail: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.kind = kind
        self.headers = headers

    def response(self) -> JSONResponse:
        """Make the answer."""
        return problem(self.kind, str(self), headers=self.headers)


def problem(
    kind: str,
    detail: str,
    *,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[InvalidPart] | None = None,
) -> JSONResponse:
    """Make the answer that tells of a problem."""
    body = Problem(
        type=EXPLAINED + kind,
        title=KINDS[kind].title,
        status=KINDS[kind].status,
        detail=detail,
        errors=None if errors is None else list(errors),
    )
    return JSONResponse(
        body.model_dump(exclude_none=True), body.status, headers=headers, media_type=MEDIA_TYPE
    )


def documented(*kinds: str) -> dict[int | str, dict[str, Any]]:
    """Describe the problems of an operation for the OpenAPI document: those of all, and these."""
    responses: dict[int | str, dict[str, Any]] = {}
    schema = {"$ref": "#/components/schemas/Problem"}
    for kind in (*_OF_ALL, *kinds):
        status, title = KINDS[kind]
        if status in responses:
            title = f"{responses[status]['description']}; or: {title}"
        responses[status] = {"description": title, "content": {MEDIA_TYPE: {"schema": schema}}}
    return dict(sorted(responses.items(), key=lambda each: each[0]))


_OF_ALL = ("unauthenticated", "forbidden", "too-large", "invalid", "too-many-requests", "unavailable")


def explain_errors(app: FastAPI) -> None:
    """Have an application answer every error with a problem."""
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, _handler(answer))


def _handler(answer: Callable[[Request, Any], JSONResponse]) -> Callable[..., Awaitable[JSONResponse]]:
    async def handle(request: Request, error: Exception) -> JSONResponse:
        return answer(request, error)

    return handle


def unavailable(why: str) -> Refused:
    """Make the refusal of a request that can be repeated in a moment."""
    return Refused(
        "unavailable",
        f"{why} Repeat the request in a moment; with the same Idempotency-Key it is done once.",
        headers={"Retry-After": str(AWAY_RETRY_S)},
    )


def _engine_error(_: Request, error: BrokerError) -> JSONResponse:
    if isinstance(error, Unsupported):
        return problem("unsupported", str(error))
    if isinstance(error, MessageTooLarge):
        return problem("too-large", str(error))
    logger.warning("the API for other programs has no answer from the engine", why=str(error))
    return unavailable(str(error)).response()


def _http_error(request: Request, error: HTTPException) -> JSONResponse:
    asked = f"{request.method} {request.url.path[:200]}"
    if error.status_code == 404:
        return problem("not-found", f"There is nothing at {asked}. openapi.json lists what there is.")
    if error.status_code == 405:
        allowed = ", ".join(_methods_of(request)) or (error.headers or {}).get("Allow", "")
        detail = f"{asked}: the address takes {allowed}."
        return problem("method-not-allowed", detail, headers={"Allow": allowed})
    return problem("invalid", f"The body cannot be read: {error.detail}.")


def _methods_of(request: Request) -> Sequence[str]:
    """Return every method of an address. Several routes may have it, each of which knows its own only."""
    path = request.url.path.removeprefix(request.scope["root_path"])
    return sorted(
        method.upper()
        for template, methods in request.app.openapi()["paths"].items()
        if compile_path(template)[0].match(path)
        for method in methods
    )


def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
    parts = [
        InvalidPart(location=".".join(map(str, each["loc"])), detail=str(each["msg"]))  # and not its value
        for each in error.errors()
    ]
    told = "; ".join(f"{part.location}: {part.detail}" for part in parts)
    return problem("invalid", f"{told}. openapi.json says what is valid.", errors=parts)


def _fault(_: Request, error: Exception) -> JSONResponse:  # noqa: ARG001  the server logs its traceback
    return problem(
        "internal", "The request failed in an unexpected way. The log of the API has the traceback."
    )


#: The answer to each kind of error.
_ANSWERS: Mapping[type[Exception], Callable[[Request, Any], JSONResponse]] = {
    Refused: lambda _, error: error.response(),
    OptedOutContact: lambda _, error: problem("opted-out", str(error)),
    KeyTaken: lambda _, error: problem("key-taken", str(error)),
    BrokerError: _engine_error,
    RequestValidationError: _invalid,
    HTTPException: _http_error,
    Exception: _fault,
}
