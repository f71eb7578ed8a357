"""The dashboard: what waits, runs and died, what was said, and what operators can do about it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from starlette.applications import Starlette

from actors.services import Services
from brokers.cached_stats import CachedStats
from brokers.checks import Checks
from brokers.spool import SpooledBackend

from ..supervision import Supervisor
from .access.audit_log import AuditLog
from .access.authentication import Authentication
from .access.csrf import Csrf
from .access.sessions import Sessions
from .access.sign_in import SignInPage
from .access.sign_outs import SignOuts
from .context import DashboardContext
from .live.event_streams import EventStreams
from .live.metric_source import MetricSource
from .live.status_sampler import StatusSampler
from .routes import Routes

#: How many pages may wait for the engine at a time. Threads of their own: webhooks never wait for pages.
THREADS = 8


@dataclass(frozen=True, slots=True)
class Dashboard:
    """The application to mount at /dashboard, and what has to be started and ended with the API."""

    app: Starlette
    context: DashboardContext
    sign_outs: SignOuts

    def start(self) -> None:
        """Begin to look at the queues: charts want a history."""
        self.context.sampler.start()

    def drain(self) -> None:
        """The server is about to end: it would wait for open streams."""
        self.context.streams.close()

    def close(self) -> None:
        self.context.streams.close()
        self.context.sampler.close()
        self.context.threads.shutdown()
        self.context.audit.close()
        self.sign_outs.close()


def dashboard(
    parts: Services,
    counts: CachedStats,
    audit: AuditLog,
    *,
    checks: Checks | None = None,
    spool: SpooledBackend | None = None,
    supervisor: Supervisor | None = None,
    metrics: MetricSource | None = None,
) -> Dashboard:
    """Build the dashboard.

    Parameters:
      parts: what it shows.
      counts: counts the queues, for everyone in this process.
      audit: where operators' actions are written down.
      checks: tell whether the stores beside the queue work.
      spool: where messages wait while the queue is away, if there is such a place.
      supervisor: returns what `recado status --json` shows, or None; must not take long.
      metrics: those of all processes of this machine.
    """
    settings = parts.settings
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="recado-dashboard")
    context = DashboardContext(
        settings=settings,
        broker=parts.broker,
        conversations=parts.conversations,
        cached_stats=counts,
        sampler=StatusSampler(
            parts.broker.backend,
            counts,
            costly=parts.broker.backend.capabilities.costs,
            checks=checks,
            spool=spool,
            ask_supervisor=supervisor,
            metrics=metrics,
        ),
        audit=audit,
        streams=EventStreams(threads),
        threads=threads,
    )
    sign_outs = SignOuts(settings.dashboard_audit_path)
    sessions = Sessions(settings.dashboard_secrets, sign_outs=sign_outs)
    authentication = Authentication(settings, sessions)
    csrf = Csrf(sessions, settings.public_base_url)
    https_only = (settings.public_base_url or "").startswith("https://")
    sign_in_page = SignInPage(authentication, sessions, csrf, context.audit, https_only=https_only)
    return Dashboard(Routes(context, authentication, csrf, sign_in_page).app(), context, sign_outs)


__all__ = ["AuditLog", "Dashboard", "dashboard"]
