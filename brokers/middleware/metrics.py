"""Prometheus metrics of what passes through a broker."""

from __future__ import annotations

import threading
import time
from typing import Any

from dramatiq import Broker, Message, Middleware
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from ..consumer import DurableMessage

#: From a no-op to the longest a customer would wait, in seconds.
DURATION_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)


class Metrics(Middleware):
    """Counts messages and times them.

    Parameters:
      registry: where the metrics are registered; the process's default when not given.
    """

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        labels = ("queue", "actor")
        self._enqueued = Counter(
            "recado_messages_enqueued_total", "Messages stored.", labels, registry=registry
        )
        self._outcomes = Counter(
            "recado_messages_total",
            "Deliveries by how they ended: done, retried, deferred, failed, skipped, returned.",
            (*labels, "outcome"),
            registry=registry,
        )
        self._durations = Histogram(
            "recado_message_duration_seconds",
            "Time an actor worked on a message.",
            labels,
            registry=registry,
            buckets=DURATION_BUCKETS,
        )
        self._waits = Histogram(
            "recado_message_wait_seconds",
            "Time from when a message became due to when an actor began.",
            labels,
            registry=registry,
            buckets=DURATION_BUCKETS,
        )
        self._in_progress = Gauge(
            "recado_messages_in_progress",
            "Messages being worked on.",
            labels,
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._thread = threading.local()

    def after_enqueue(self, broker: Broker, message: Message[Any], delay: int | None) -> None:  # noqa: ARG002
        if not isinstance(message, DurableMessage):  # the message in hand is a retry, not a new one
            self._enqueued.labels(message.queue_name, message.actor_name).inc()

    def before_process_message(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]  # noqa: ARG002
        labels = (message.queue_name, message.actor_name)
        self._thread.started_at = time.perf_counter()
        self._waits.labels(*labels).observe(max(0.0, time.time() - message.delivery.due_at / 1000))
        self._in_progress.labels(*labels).inc()

    def after_process_message(  # type: ignore[override]
        self,
        broker: Broker,  # noqa: ARG002
        message: DurableMessage,
        *,
        result: Any = None,  # noqa: ARG002
        exception: BaseException | None = None,  # noqa: ARG002
    ) -> None:
        self._finish(message, _outcome(message))

    def after_skip_message(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]  # noqa: ARG002
        self._finish(message, "skipped")

    def _finish(self, message: DurableMessage, outcome: str) -> None:
        labels = (message.queue_name, message.actor_name)
        self._in_progress.labels(*labels).dec()
        self._durations.labels(*labels).observe(time.perf_counter() - self._thread.started_at)
        self._outcomes.labels(*labels, outcome).inc()


def _outcome(message: DurableMessage) -> str:
    if message.failed_enqueue is not None:
        return "returned"
    if message.failed:
        return "failed"
    if message.retry is not None:
        return "deferred" if message._exception is None else "retried"
    return "done"
