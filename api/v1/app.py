"""Builds the API for other programs."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from fastapi import Depends, FastAPI, Request
from starlette.types import ASGIApp

from actors.services import Services
from brokers.cached_stats import CachedStats

from ..audit_log import AuditLog
from ..opening import Opening
from .context import Context
from .conversations import conversation_routes
from .dead_letters import dead_letter_routes
from .gate import OPEN, Gate
from .messages import message_routes
from .notes import note_routes
from .problems import Problem, Refused, explain_errors
from .queues import queue_routes
from .rate_limit import RateLimit
from .replies import reply_routes
from .tokens import TokenFile
from .usage import usage_routes

#: Where it is mounted.
PREFIX = "/api/v1"

#: How many operations may wait for the engine at a time, in threads that nothing else waits for.
THREADS = 8


@dataclass(frozen=True, slots=True)
class ApiV1:
    """Holds the application to mount at `PREFIX`, and the threads that have to end with the API."""

    app: ASGIApp
    threads: ThreadPoolExecutor

    def close(self) -> None:
        """End the threads, once they are done."""
        self.threads.shutdown()


def api_v1(services: Services, cached_stats: CachedStats, audit: AuditLog, opening: Opening) -> ApiV1:
    """Build the API for other programs.

    Parameters:
      services: the broker, the conversations and the settings.
      cached_stats: counts the queues, once for all readers in this process.
      audit: records what programs do.
      opening: knows whether the queue is open.
    """
    settings = services.settings
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="recado-api-v1")
    context = Context(
        services.broker,
        services.conversations,
        cached_stats,
        audit,
        settings.currency,
        settings.default_region,
        threads,
    )
    app = operations(context)
    document = cache(partial(document_of, app))  # making it takes a fifth of the start

    @app.get(OPEN, include_in_schema=False)
    async def openapi() -> dict[str, Any]:
        return await asyncio.get_running_loop().run_in_executor(threads, document)

    gate = Gate(
        app,
        tokens=TokenFile(settings.api_tokens_path),
        limit=RateLimit(settings.api_v1_requests_per_minute),
        opening=opening,
    )
    return ApiV1(gate, threads)


def operations(context: Context) -> FastAPI:
    """Make the operations, without the gate before them."""
    app = FastAPI(
        title="Recado",
        summary="Conversations, replies, dead letters, queues and usage for other programs.",
        version="1",
        servers=[{"url": PREFIX}],
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        generate_unique_id_function=lambda route: route.name,
        dependencies=[Depends(_refuse_unknown_parameters)],
    )
    for routes in (
        *(conversation_routes, message_routes, note_routes, reply_routes, dead_letter_routes),
        *(queue_routes, usage_routes),
    ):
        app.include_router(routes(context))
    explain_errors(app)
    return app


async def _refuse_unknown_parameters(request: Request) -> None:
    """Refuse a misspelt parameter: without it the answer would be about all there is.

    Raises:
      Refused: the operation has no such parameter.
    """
    known = sorted(each.alias for each in request.scope["route"].dependant.query_params)
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        raise Refused(
            "invalid",
            f"There is no parameter {unknown[0][:100]!r}. The parameters are {', '.join(known) or 'none'}.",
        )


def document_of(app: FastAPI) -> dict[str, Any]:
    """Make the OpenAPI document, with what FastAPI does not know of problems."""
    document = app.openapi()
    schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs")
    document["components"]["schemas"] |= {"Problem": schema, **parts}
    return document
