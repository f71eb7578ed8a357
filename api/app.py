"""The application."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import structlog
from fastapi import FastAPI, Response
from fastapi.responses import RedirectResponse
from fastapi.telemetry import TelemetryConfig
from prometheus_client.registry import Collector
from starlette.routing import Mount
from starlette.types import ASGIApp

from actors.exposition import machine
from actors.services import Services, boot
from brokers.cached_stats import CachedStats
from brokers.checks import Checks, Store
from brokers.collectors import SpoolCollector
from brokers.spool import SpooledBackend
from brokers.sqlite import SQLiteBackend
from ops.foundation.credentials import without_credentials
from ops.foundation.metrics import Machine
from ops.foundation.settings import Settings, check_for_the_api

from .alarms import Alarms, Watched
from .audit_log import AuditLog
from .dashboard import Dashboard, dashboard
from .dashboard.try_it.pictures import picture_routes
from .health import health_routes
from .opening import FIRST_TRY_S, Opening
from .refusals import Refusals
from .request_ids import RequestIds, is_webhook
from .signature import SignatureCheck
from .supervision import Supervisor, SupervisorCollector
from .v1.app import PREFIX, api_v1
from .webhooks import announcement, webhook_routes

logger = structlog.get_logger(__name__)

#: How long the queue may take to open at start, in seconds.
OPEN_WITHIN_S = 10.0

#: How long a spool may take to stand in, after the engine's time is over, in seconds.
SPOOL_MARGIN_S = 1.0


def create_app(*, supervisor: Supervisor | None = None, another_serves: bool = False) -> FastAPI:
    """Build the application from the settings.

    Parameters:
      supervisor: says what `recado up` runs, where it does. It must not take long.
      another_serves: another API accepts from the same socket, so this one starts when its queue is open.

    Raises:
      SettingsError: listing every wrong or missing setting.
    """
    parts = boot()
    signatures = _signature_check(parts)
    spool = _spool(parts)
    counts = CachedStats(parts.broker.backend)
    audit = AuditLog(parts.settings.dashboard_audit_path)
    checks = _checks(parts, spool, audit)
    pages = (
        _dashboard(parts, counts, audit, checks=checks, spool=spool, supervisor=supervisor)
        if parts.settings.dashboard_enabled
        else None
    )

    def open_queue() -> None:
        if spool is not None:
            spool.start(timeout_s=OPEN_WITHIN_S)
        parts.broker.backend.check(timeout_s=OPEN_WITHIN_S)

    first_try_s = FIRST_TRY_S if spool is None else parts.settings.spool_after_s + SPOOL_MARGIN_S
    opening = Opening(open_queue, first_try_s=None if another_serves else first_try_s)
    programs = api_v1(parts, counts, audit, opening)

    refusals = Refusals()
    alarms = _alarms(parts, counts, refusals, checks=checks, opening=opening, supervisor=supervisor)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await opening.begin()
        if pages is not None:
            pages.start()
        if alarms is not None:
            alarms.start()
        public = parts.settings.public_base_url
        logger.info("API started", public_base_url=None if public is None else without_credentials(public))
        yield
        await opening.end()
        if alarms is not None:
            await asyncio.to_thread(alarms.close)
        if pages is not None:
            await asyncio.to_thread(pages.close)  # which waits for pages that read the queue
        await asyncio.to_thread(programs.close)
        audit.close()
        parts.broker.close()
        parts.conversations.close()

    app = FastAPI(
        title="Recado",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,  # Twilio drops the parameters when it follows a redirect
        telemetry=_telemetry(parts.settings),
    )
    app.add_middleware(RequestIds)
    app.state.opening = opening
    app.state.stop_waiting = opening.stop_waiting

    spoken = partial(_spoken, parts)
    webhooks = webhook_routes(parts.broker, signatures, opening, spoken=spoken, refusals=refusals)
    path = urlsplit(parts.settings.public_base_url or "").path
    for prefix in {"", path}:  # a proxy may pass the path on, or take it off
        app.include_router(webhooks, prefix=prefix)
    page = _machine(parts, counts, checks, spool, supervisor)
    app.include_router(health_routes(parts.broker.backend, page, checks, opening, spool))
    app.router.routes.append(_Mount(PREFIX, programs.app))
    if pages is not None:
        _mount(app, pages)
    return app


def _mount(app: FastAPI, pages: Dashboard) -> None:
    if pages.context.played is not None:
        app.include_router(picture_routes())
    app.router.routes.append(_Mount("/dashboard", pages.app))
    app.add_api_route("/dashboard", _to_the_dashboard, include_in_schema=False)
    app.state.drain = pages.drain


class _Mount(Mount):
    """Hands every address below a path to an application, also one with a line's end in it.

    Starlette's own leaves those to the application that it is in, which would answer for the one below.
    """

    def __init__(self, path: str, app: ASGIApp) -> None:
        super().__init__(path, app)
        self.path_regex = re.compile(self.path_regex.pattern, re.DOTALL)


def _spoken(parts: Services, address: str) -> str:
    """Make what the caller of an address of ours hears, as TwiML."""
    settings = parts.profile(address).settings
    return announcement(settings.voice_text, settings.voice_language)


def _checks(parts: Services, spool: SpooledBackend | None, audit: AuditLog) -> Checks:
    """Make the checks of the stores that this process needs beside its queue.

    The audit log is one of them where somebody may act: a check creates the file.
    """
    stores: dict[str, Store] = {"conversations": parts.conversations}
    if spool is not None:
        stores["spool"] = spool.store
    if parts.settings.dashboard_enabled or parts.settings.api_tokens_path.exists():
        stores["audit"] = audit
    return Checks(stores)


def _machine(
    parts: Services,
    counts: CachedStats,
    checks: Checks,
    spool: SpooledBackend | None,
    supervisor: Supervisor | None,
) -> Machine:
    more: list[Collector] = []
    if spool is not None:
        more.append(SpoolCollector(spool))
    if supervisor is not None:
        more.append(SupervisorCollector(supervisor))
    return machine(
        parts.settings, counts, parts.broker.backend, parts.conversations, checks=checks, more=more
    )


def _alarms(
    parts: Services,
    counts: CachedStats,
    refusals: Refusals,
    *,
    checks: Checks,
    opening: Opening,
    supervisor: Supervisor | None,
) -> Alarms | None:
    """Make what tells people of what no actor can, where there are any to tell."""
    if not parts.receivers:
        return None
    watched = Watched(parts.broker.backend, counts, checks, opening, supervisor)
    return Alarms(list(parts.receivers.values()), watched.troubles, refusals)


def _dashboard(
    parts: Services,
    counts: CachedStats,
    audit: AuditLog,
    *,
    checks: Checks,
    spool: SpooledBackend | None,
    supervisor: Supervisor | None,
) -> Dashboard:
    counted_by_all = Machine(parts.settings.metrics_directory)
    return dashboard(
        parts, counts, audit, checks=checks, spool=spool, supervisor=supervisor, metrics=counted_by_all
    )


async def _to_the_dashboard() -> Response:
    return RedirectResponse("/dashboard/")


def _telemetry(settings: Settings) -> TelemetryConfig:
    """FastAPI's own OpenTelemetry: a span for each webhook while TRACING is on, and nothing else ever."""
    return {
        "tracing": settings.tracing,
        "operation_spans": False,
        "metrics": False,
        "logs": False,
        "auto_configure": False,  # ops/foundation/tracing.py does
        "exclude": lambda scope: not is_webhook(scope),
    }


def _spool(parts: Services) -> SpooledBackend | None:
    """Put a spool before an engine that may be away while this machine is not."""
    settings = parts.settings
    if not parts.broker.backend.capabilities.can_be_spooled:
        return None
    spooled = SpooledBackend(
        parts.broker.backend,
        SQLiteBackend(settings.spool_path, max_message_bytes=settings.queue_max_message_bytes),
        patience_s=settings.spool_after_s,
    )
    parts.broker.backend = spooled
    return spooled


def _signature_check(parts: Services) -> SignatureCheck | None:
    settings = check_for_the_api(parts.settings)
    if not settings.twilio_validate_signatures:
        logger.warning(
            "SIGNATURES ARE NOT CHECKED: anyone can send messages in anyone's name. "
            "TWILIO_VALIDATE_SIGNATURES=false is for development only."
        )
        return None
    return SignatureCheck(settings.required("public_base_url"), settings.auth_tokens, settings.shared_keys)
