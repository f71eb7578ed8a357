"""Looks at the queue from within a worker, for the supervisor."""

from __future__ import annotations

import threading
import time

from dramatiq.errors import BrokerError

from brokers.backend import QueueBackend

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
            counts = [Backlog(one.queue, one.ready, one.oldest_due_at) for one in stats if not one.paused]
            self.backlog, self.error = tuple(counts), None

    def _run(self) -> None:
        while True:
            self.look()
            time.sleep(EVERY_S)
