"""Is it alive, can it take messages, and how is it doing."""

from __future__ import annotations

import os
from collections.abc import Iterator

import structlog
from dramatiq.errors import BrokerError
from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from brokers.backend import QueueBackend
from brokers.clock import now_ms
from brokers.errors import EngineError
from brokers.spool import SpooledBackend

logger = structlog.get_logger(__name__)

#: How long the queue may take to prove that it can be written, in seconds.
READY_WITHIN_S = 2.0


def health_routes(backend: QueueBackend, spool: SpooledBackend | None = None) -> APIRouter:
    """The routes that load balancers and Prometheus call.

    Parameters:
      backend: the queue.
      spool: where messages wait while the queue is away, when there is such a place.
    """
    router = APIRouter()

    @router.get("/healthz")
    async def alive() -> JSONResponse:
        return JSONResponse({"status": "ok"})

    @router.get("/readyz")
    def ready() -> JSONResponse:
        try:
            backend.check(timeout_s=READY_WITHIN_S)
        except BrokerError as error:
            return JSONResponse({"status": "unavailable", "why": str(error)}, status_code=503)
        if spool is not None and (trouble := spool.trouble) is not None:
            # Webhooks are welcome all the same: a load balancer should go on sending them.
            return JSONResponse(
                {"status": "degraded", "why": trouble, "spooled_messages": spool.depth().messages}
            )
        return JSONResponse({"status": "ok"})

    @router.get("/metrics")
    def metrics() -> Response:
        registry = CollectorRegistry()
        registry.register(_QueueCollector(backend))
        if spool is not None:
            registry.register(_SpoolCollector(spool))
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]  # the workers' figures too, not only this process's
            page = generate_latest(registry)
        else:
            page = generate_latest(registry) + generate_latest(REGISTRY)
        return Response(page, media_type=CONTENT_TYPE_LATEST)

    return router


class _QueueCollector(Collector):
    """Asks the engine when scraped, so that the figures are those of now and of all processes."""

    def __init__(self, backend: QueueBackend) -> None:
        self._backend = backend

    def collect(self) -> Iterator[Metric]:
        messages = GaugeMetricFamily(
            "recado_queue_messages", "Messages in the queue.", labels=["queue", "state"]
        )
        age = GaugeMetricFamily(
            "recado_queue_oldest_message_age_seconds",
            "How long the longest waiting message has been due.",
            labels=["queue"],
        )
        paused = GaugeMetricFamily("recado_queue_paused", "1 while the queue is paused.", labels=["queue"])
        done = CounterMetricFamily(
            "recado_queue_done", "Messages finished since the queue was made.", labels=["queue"]
        )
        up = GaugeMetricFamily("recado_queue_up", "1 while the queue's engine answers.")
        try:
            counted = self._backend.stats()
        except EngineError as error:
            logger.warning("the queue cannot be counted", why=str(error))
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        now = now_ms()
        for stats in counted:
            for state in ("ready", "delayed", "running", "dead"):
                messages.add_metric([stats.queue, state], getattr(stats, state))
            paused.add_metric([stats.queue], stats.paused)
            if stats.done is not None:  # an engine that counts what is done knows how old the others are
                waited_ms = 0 if stats.oldest_due_at is None else max(0, now - stats.oldest_due_at)
                age.add_metric([stats.queue], waited_ms / 1000)
                done.add_metric([stats.queue], stats.done)
        yield from (up, messages, age, paused, done)


class _SpoolCollector(Collector):
    """What waits on this machine to be forwarded to the queue."""

    def __init__(self, spool: SpooledBackend) -> None:
        self._spool = spool

    def collect(self) -> Iterator[Metric]:
        depth = self._spool.depth()
        yield GaugeMetricFamily(
            "recado_spool_messages", "Messages that wait for the queue to be back.", depth.messages
        )
        yield GaugeMetricFamily(
            "recado_spool_oldest_message_age_seconds", "How long the oldest has waited.", depth.oldest_age_s
        )
