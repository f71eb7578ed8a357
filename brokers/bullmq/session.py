"""The session of a consuming process: its name, its locks, what it has begun, how it waits."""

from __future__ import annotations

import os
import secrets

from ..redis.consumer_session import PollState
from ..redis.database import Database
from ..redis.host_processes import this_host
from ..redis.started_markers import StartedMarkers
from .locks import Locks
from .markers import Markers


class ConsumerSession:
    """The parts of a process that consumes; a process that only enqueues has none of them.

    Parameters:
      database: the way to the server.
      prefix: what the keys of all queues begin with.
      lock_ms: how long a lock lasts, in milliseconds.
      max_deliveries: how many workers may die under a message before it is set aside.

    Attributes:
      owner: this process's name in locks, random and never used twice.

    Raises:
      EngineError: the server is away.
    """

    def __init__(self, database: Database, *, prefix: str, lock_ms: int, max_deliveries: int) -> None:
        self.owner = secrets.token_hex(8)
        client = database.server
        self.started = StartedMarkers(client, f"{database.base}:started:{self.owner}")
        self.markers = Markers(client, prefix=prefix, owner=self.owner)
        process = (self.owner, this_host(), os.getpid())
        self.locks = Locks(client, process, lock_ms=lock_ms, max_deliveries=max_deliveries)
        self._poll_states: dict[str, PollState] = {}
        self.locks.start()

    def poll_state(self, queue: str) -> PollState:
        """Return what is known of a queue. What one of its consumers found holds for all."""
        return self._poll_states.setdefault(queue, PollState())

    def stop(self) -> None:
        """Renew no lock any more. What is held stays held until its lock ends, or is given back."""
        self.locks.stop()
        self.markers.close()
        self.started.close()
