"""Shows what waits, runs and died and what was said, and lets operators act on it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from starlette.applications import Starlette

from actors.budget import share_to_warn_of
from actors.services import Services
from brokers.cached_stats import CachedStats
from brokers.checks import Checks
from brokers.clock import now_ms
from brokers.spool import SpooledBackend

from ..audit_log import AuditLog
from ..supervision import Supervisor
from ..users import UserFile
from .access.authentication import Authentication
from .access.csrf import Csrf
from .access.sessions import Sessions
from .access.sign_in import SignInPage
from .access.sign_outs import SignOuts
from .attachments import DashboardMedia
from .context import DashboardContext
from .live.event_streams import EventStreams
from .live.metric_source import MetricSource
from .live.status_sampler import StatusSampler
from .routes import Routes
from .try_it.played import played_customers

#: How many pages may wait for the engine at a time. The threads are their own: webhooks never wait for pages.
THREADS = 8


@dataclass(frozen=True, slots=True)
class Dashboard:
    """Holds the application to mount at /dashboard, and what has to be started and ended with the API."""

    app: Starlette
    context: DashboardContext
    sign_outs: SignOuts
    sign_in_page: SignInPage

    def start(self) -> None:
        """Start sampling the queues: charts need a history."""
        self.context.sampler.start()
        if self.context.played is not None:
            self.context.played.carrier.start()

    def drain(self) -> None:
        """End open streams before the server ends: it would wait for them."""
        self.context.streams.close()

    def close(self) -> None:
        """End the streams, the sampler and the threads, and close the file of sign-outs."""
        self.context.streams.close()
        self.context.sampler.close()
        if self.context.played is not None:
            self.context.played.carrier.close()
        self.context.threads.shutdown()
        self.sign_in_page.threads.shutdown()
        self.context.attachments.close()
        self.sign_outs.close()


def dashboard(
    services: Services,
    cached_stats: CachedStats,
    audit: AuditLog,
    *,
    checks: Checks | None = None,
    spool: SpooledBackend | None = None,
    supervisor: Supervisor | None = None,
    metrics: MetricSource | None = None,
) -> Dashboard:
    """Build the dashboard.

    Parameters:
      services: the broker, the conversations and the settings.
      cached_stats: counts the queues, once for all readers in this process.
      audit: records operators' actions.
      checks: tell whether the stores beside the queue work.
      spool: holds messages while the queue is away; None on engines without a spool.
      supervisor: returns what `recado status --json` shows, or None; must not take long.
      metrics: has the metrics of all processes of this machine.
    """
    settings = services.settings
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="recado-dashboard")
    context = DashboardContext(
        settings=settings,
        broker=services.broker,
        conversations=services.conversations,
        cached_stats=cached_stats,
        sampler=StatusSampler(
            services.broker.backend,
            cached_stats,
            costly=services.broker.backend.capabilities.costs,
            checks=checks,
            spool=spool,
            ask_supervisor=supervisor,
            metrics=metrics,
            reader=services.conversations.reader,
            budget_used=lambda: share_to_warn_of(services.conversations.usage, settings, at_ms=now_ms()),
        ),
        audit=audit,
        streams=EventStreams(threads),
        threads=threads,
        attachments=DashboardMedia(services.channels, services.media, timeout_s=settings.media_timeout_s),
        played=played_customers(settings, supervisor),
    )
    sign_outs = SignOuts(settings.dashboard_audit_path)
    users = UserFile(settings.dashboard_users_path)
    sessions = Sessions(settings.dashboard_secrets, users=users, sign_outs=sign_outs)
    authentication = Authentication(settings, sessions, users)
    csrf = Csrf(sessions, settings.public_base_url)
    https_only = (settings.public_base_url or "").startswith("https://")
    sign_in_page = SignInPage(authentication, sessions, csrf, context.audit, https_only=https_only)
    app = Routes(context, authentication, csrf, sign_in_page).app()
    return Dashboard(app, context, sign_outs, sign_in_page)


__all__ = ["Dashboard", "dashboard"]
