"""Shows the metrics of this machine, also where no API runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from dramatiq import Broker, Middleware, Worker
from prometheus_client import make_wsgi_app
from prometheus_client.registry import Collector

from brokers.cached_stats import CachedStats
from brokers.checks import Checks
from brokers.collectors import FileCollector, QueueCollector, StoreCollector
from brokers.sqlite import SQLiteBackend
from ops.foundation.metrics import Machine, slot_number
from ops.foundation.settings import Settings

from .budget import BudgetCollector
from .conversations import ConversationStore, SQLiteConversationStore
from .metrics import metrics

if TYPE_CHECKING:
    from .services import Services

logger = structlog.get_logger(__name__)

#: How often a worker says that it is alive, in seconds, and how often one that does not show the page looks
#: whether the one that did has ended.
EVERY_S = 5.0


def machine(
    settings: Settings,
    counts: CachedStats,
    backend: Any,
    conversations: ConversationStore,
    *,
    checks: Checks,
    more: Iterable[Collector] = (),
) -> Machine:
    """All that is known on this machine.

    Parameters:
      settings: where its processes keep what they count.
      counts: counts the queue.
      backend, conversations: what is kept in files has a size.
      checks: tell whether the other stores work.
      more: what only some of its processes know.
    """
    files = [backend.database] if isinstance(backend, SQLiteBackend) else []
    if isinstance(conversations, SQLiteConversationStore):
        files.append(conversations.database)
    of_files = [FileCollector(files)] if files else []
    budget = BudgetCollector(conversations.usage, settings)
    collectors = [QueueCollector(counts), StoreCollector(checks), budget, *of_files, *more]
    return Machine(settings.metrics_directory, collectors)


class Exposition(Middleware):
    """Has a worker say that it is alive, and show the metrics of its machine.

    One of a machine's workers shows them: whoever has the port. When it ends another takes over.

    Parameters:
      services: this process's services, asked for when a worker starts: its settings have the address (port 0
        shows the metrics nowhere), and its conversation store's files are measured.
    """

    def __init__(self, services: Callable[[], Services]) -> None:
        self._services = services
        self._stopping = threading.Event()
        self._server: WSGIServer | None = None

    def after_worker_boot(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        self._stopping.clear()
        threading.Thread(target=self._run, args=(broker,), name="recado-exposition", daemon=True).start()

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        self._stopping.set()
        if self._server is not None:
            self._server.shutdown()

    def _run(self, broker: Any) -> None:
        settings = self._services().settings
        metrics().begin_events(self._services().endpoints)
        heartbeat = metrics().worker_heartbeat.labels(slot_number())
        while True:
            heartbeat.set(time.time())
            if self._server is None and settings.metrics_port:
                self._try_to_show(broker)
            if self._stopping.wait(EVERY_S):
                return

    def _try_to_show(self, broker: Any) -> None:
        settings, conversations = self._services().settings, self._services().conversations
        host, port = settings.metrics_host, settings.metrics_port
        checks = Checks({"conversations": conversations})
        registry: Any = machine(
            settings, CachedStats(broker.backend), broker.backend, conversations, checks=checks
        )
        try:
            self._server = make_server(host, port, make_wsgi_app(registry), handler_class=_Quiet)
        except OSError:
            return  # somebody else shows it, and may end before we do
        logger.info("metrics shown", url=f"http://{host}:{port}/metrics")
        threading.Thread(target=self._server.serve_forever, name="recado-metrics", daemon=True).start()


class _Quiet(WSGIRequestHandler):
    """Being looked at is nothing to log."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  its name in the base class
        pass
