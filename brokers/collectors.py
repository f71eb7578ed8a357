"""What Prometheus is told of an engine: asked when it looks, so that the figures are those of now."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import ClassVar, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from .cached_stats import CachedStats
from .checks import Checks
from .errors import EngineError
from .records import QueueStats, Reason
from .spool import SpooledBackend
from .sqlite.storage import Database

logger = logging.getLogger(__name__)


class QueueCollector(Collector):
    """The queues, counted; in all processes and on all machines.

    Parameters:
      counts: counts them.
    """

    def __init__(self, counts: CachedStats) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("recado_queue_up", "1 while the queue's engine answers.")
        try:
            counted = self._counts.stats()
        except EngineError as error:
            logger.warning("The queue cannot be counted: %s", error)
            up.add_metric([], 0)
            yield up
        else:
            up.add_metric([], 1)
            yield up
            yield from _queues(counted)


def _queues(counted: Sequence[QueueStats]) -> Iterator[Metric]:
    messages = GaugeMetricFamily(
        "recado_queue_messages",
        "Messages in the queue by state: ready, delayed, running, dead.",
        labels=["queue", "state"],
    )
    age = GaugeMetricFamily(
        "recado_queue_oldest_message_age_seconds",
        "How long the longest waiting message has been due; 0 when none waits.",
        labels=["queue"],
    )
    wait = GaugeMetricFamily(
        "recado_queue_longest_wait_seconds",
        "How long the message has waited that waits longest for its end, all its tries and pauses included; "
        "0 when none waits.",
        labels=["queue"],
    )
    paused = GaugeMetricFamily("recado_queue_paused", "1 while the queue is paused.", labels=["queue"])
    done = CounterMetricFamily(
        "recado_queue_done", "Messages finished since the queue was made.", labels=["queue"]
    )
    died = CounterMetricFamily(
        "recado_queue_dead_letters",
        "Messages that became dead letters since the queue was made, by reason.",
        labels=["queue", "reason"],
    )
    for stats in counted:
        for state in ("ready", "delayed", "running", "dead"):
            messages.add_metric([stats.queue, state], getattr(stats, state))
        paused.add_metric([stats.queue], stats.paused)
        if stats.done is not None:  # an engine that counts what is done knows how old the others are
            age.add_metric([stats.queue], stats.seconds_since(stats.oldest_due_at) or 0.0)
            wait.add_metric([stats.queue], stats.seconds_since(stats.waits_since) or 0.0)
            done.add_metric([stats.queue], stats.done)
            for reason in get_args(Reason):  # those of which none died too: an increase begins somewhere
                died.add_metric([stats.queue, reason], stats.died.get(reason, 0))
    yield from (messages, age, wait, paused, done, died)


class StoreCollector(Collector):
    """Whether the stores work that a process needs beside its queue.

    Parameters:
      checks: of stores with these names: conversations, spool, audit.
    """

    _UP: ClassVar = {
        "conversations": ("recado_conversations_up", "1 while the conversations can be written and read."),
        "spool": ("recado_spool_up", "1 while this machine's spool can be written and read."),
        "audit": ("recado_audit_up", "1 while what operators do can be written down."),
    }

    def __init__(self, checks: Checks) -> None:
        self._checks = checks

    def collect(self) -> Iterator[Metric]:
        troubles = self._checks.troubles()
        for store in self._checks.names:
            name, says = self._UP[store]
            yield GaugeMetricFamily(name, says, int(store not in troubles))


class SpoolCollector(Collector):
    """What waits on this machine to be forwarded to the queue.

    Parameters:
      spool: where it waits.
    """

    def __init__(self, spool: SpooledBackend) -> None:
        self._spool = spool

    def collect(self) -> Iterator[Metric]:
        try:
            depth = self._spool.depth()
        except EngineError as error:  # which `recado_spool_up` tells
            logger.warning("The spool cannot be counted: %s", error)
            return
        yield GaugeMetricFamily(
            "recado_spool_messages", "Messages that wait for the queue to be back.", depth.messages
        )
        yield GaugeMetricFamily(
            "recado_spool_oldest_message_age_seconds", "How long the oldest has waited.", depth.oldest_age_s
        )


class FileCollector(Collector):
    """How large SQLite's files are.

    Parameters:
      databases: them.
    """

    def __init__(self, databases: Sequence[Database]) -> None:
        self._databases = databases

    def collect(self) -> Iterator[Metric]:
        size = GaugeMetricFamily(
            "recado_sqlite_database_bytes", "Size of the database file.", labels=["database"]
        )
        wal = GaugeMetricFamily(
            "recado_sqlite_wal_bytes",
            "Size of the write-ahead log beside the database.",
            labels=["database"],
        )
        for database in self._databases:
            size.add_metric([database.path.name], database.file_bytes())
            wal.add_metric([database.path.name], database.wal_bytes())
        yield from (size, wal)
