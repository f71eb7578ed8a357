"""Counts what waits in the queues, for the worker's heartbeats."""

from __future__ import annotations

import threading
import time

from dramatiq.errors import BrokerError

from brokers.backend import QueueBackend, QueueStats
from brokers.clock import now_ms

from ..protocol.heartbeat import Backlog

#: How often the poller counts, in seconds.
EVERY_S = 5.0


class BacklogPoller:
    """Counts what waits, in a thread: so an engine that does not answer delays no heartbeat.

    Parameters:
      backend: the engine.

    Attributes:
      backlog: what waited at the last count in each queue that is not paused; None when the count failed.
      error: why the last count failed; None when it did not.
    """

    def __init__(self, backend: QueueBackend) -> None:
        self._backend = backend
        self.backlog: tuple[Backlog, ...] | None = None
        self.error: str | None = None

    def start(self) -> None:
        """Count from a thread, as long as the process lives."""
        threading.Thread(target=self._run, name="recado-backlog", daemon=True).start()

    def poll(self) -> None:
        """Count now."""
        try:
            stats = self._backend.stats()
        except BrokerError as error:
            self.backlog, self.error = None, str(error)[:200]
        else:
            self.backlog, self.error = tuple(_backlog_of(queue) for queue in stats if not queue.paused), None

    def _run(self) -> None:
        while True:
            self.poll()
            time.sleep(EVERY_S)


def _backlog_of(queue: QueueStats) -> Backlog:
    """Return a queue's backlog, with its times by the clock of this machine, which the supervisor reads."""
    due_for_s = queue.seconds_since(queue.oldest_due_at)
    due_at_ms = None if due_for_s is None else now_ms() - round(due_for_s * 1000)
    return Backlog(queue.queue, queue.ready, due_at_ms)
