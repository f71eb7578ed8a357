"""Looks at the queue from within a worker, for the supervisor."""

from __future__ import annotations

import threading
import time

from dramatiq.errors import BrokerError

from brokers.backend import QueueBackend, QueueStats
from brokers.clock import now_ms

from .heartbeat import Backlog

#: How often, in seconds.
EVERY_S = 5.0


class QueueWatch:
    """Counts what waits, in a thread of its own: an engine that does not answer must stop no heartbeat.

    Parameters:
      backend: the queue.

    Attributes:
      backlog: what waited in each queue that is not paused, when last seen.
      error: why it could not be seen the last time; None when it could.
    """

    def __init__(self, backend: QueueBackend) -> None:
        self._backend = backend
        self.backlog: tuple[Backlog, ...] | None = None
        self.error: str | None = None

    def start(self) -> None:
        threading.Thread(target=self._run, name="recado-queue-watch", daemon=True).start()

    def look(self) -> None:
        """Count now."""
        try:
            stats = self._backend.stats()
        except BrokerError as error:
            self.backlog, self.error = None, str(error)[:200]
        else:
            counts = [_backlog(one) for one in stats if not one.paused]
            self.backlog, self.error = tuple(counts), None

    def _run(self) -> None:
        while True:
            self.look()
            time.sleep(EVERY_S)


def _backlog(counted: QueueStats) -> Backlog:
    """Make the backlog of a queue, with its times by this machine's clock, which the supervisor goes by."""
    due_for_s = counted.seconds_since(counted.oldest_due_at)
    due_at_ms = None if due_for_s is None else now_ms() - round(due_for_s * 1000)
    return Backlog(counted.queue, counted.ready, due_at_ms)
