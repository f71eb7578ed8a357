"""Prometheus metrics of what passes through a broker."""

from __future__ import annotations

import threading
import time
from typing import Any, NamedTuple

from dramatiq import Broker, Message, Middleware
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from ..durable_message import DurableMessage, decide

#: From a no-op to the longest a customer would wait, in seconds.
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

_LABELS = ("queue", "actor")


class _Series(NamedTuple):
    """The metrics of one actor in one queue, looked up once: each look-up takes a lock."""

    enqueued: Counter
    waits: Histogram
    durations: Histogram
    in_progress: Gauge


class Metrics(Middleware):
    """Counts messages and times them.

    Parameters:
      registry: where the metrics are registered; the process's default when not given.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._all = _Series(
            enqueued=Counter(
                "recado_messages_enqueued_total", "Messages stored.", _LABELS, registry=registry
            ),
            waits=Histogram(
                "recado_message_wait_seconds",
                "Time from when a message became due to when an actor began.",
                _LABELS,
                registry=registry,
                buckets=DURATION_BUCKETS,
            ),
            durations=Histogram(
                "recado_message_duration_seconds",
                "Time an actor worked on a message.",
                _LABELS,
                registry=registry,
                buckets=DURATION_BUCKETS,
            ),
            in_progress=Gauge(
                "recado_messages_in_progress",
                "Messages being worked on.",
                _LABELS,
                registry=registry,
                multiprocess_mode="livesum",
            ),
        )
        self._outcomes = Counter(
            "recado_messages_total",
            "Deliveries by how they ended: done, retried, deferred, failed, skipped, returned.",
            (*_LABELS, "outcome"),
            registry=registry,
        )
        self._known: dict[tuple[str, str], _Series] = {}
        self._thread = threading.local()

    def _series(self, message: Message[Any]) -> _Series:
        labels = (message.queue_name, message.actor_name)
        series = self._known.get(labels)
        if series is None:
            series = _Series._make(metric.labels(*labels) for metric in self._all)
            self._known[labels] = series
        return series

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        if not isinstance(message, DurableMessage):  # the message in hand is a retry, not a new one
            self._series(message).enqueued.inc()

    def before_process_message(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]  # noqa: ARG002
        series = self._series(message)  # type: ignore[arg-type]  # a proxy of one
        self._thread.started_at = time.perf_counter()
        series.waits.observe(max(0, message.delivery.now_ms - message.delivery.due_at) / 1000)
        series.in_progress.inc()

    def after_process_message(  # type: ignore[override]
        self,
        broker: Broker,  # noqa: ARG002
        message: DurableMessage,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        self._finish(message, decide(message).kind)

    def after_skip_message(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]  # noqa: ARG002
        self._finish(message, "skipped")

    def _finish(self, message: DurableMessage, outcome: str) -> None:
        series = self._series(message)  # type: ignore[arg-type]  # a proxy of one
        series.in_progress.dec()
        series.durations.observe(time.perf_counter() - self._thread.started_at)
        self._outcomes.labels(message.queue_name, message.actor_name, outcome).inc()
