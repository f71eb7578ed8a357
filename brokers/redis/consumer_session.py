"""The session of a consuming process: its name, its heartbeat, its wake-ups, what it knows of each queue."""

from __future__ import annotations

import math
import os
import secrets
import threading
from contextlib import ExitStack

import redis

from . import scripts
from .client import RedisClient, explained
from .heartbeat import Heartbeat
from .host_processes import started_at, this_host
from .scripts import Call
from .started_markers import StartedMarkers
from .wakeups import Wakeups


class ConsumerSession:
    """The parts of a process that consumes; a process that only enqueues has none of them.

    Parameters:
      client: the way to the server.
      base: what every key begins with.
      timeout_s: after how many seconds of silence this process is dead.
      max_deliveries: how many workers may die under a message before it is set aside.
      rung: told of each wake-up.

    Attributes:
      owner: this process's name in leases, random and never used twice.

    Raises:
      EngineError: the server is away.
    """

    def __init__(
        self,
        client: RedisClient,
        base: str,
        *,
        timeout_s: float,
        max_deliveries: int,
        rung: threading.Condition,
    ) -> None:
        self._client = client
        self.owner = secrets.token_hex(8)
        self.host, self.pid = this_host(), os.getpid()
        self.poll_states: dict[str, PollState] = {}
        self.started = StartedMarkers(client, f"{base}:started:{self.owner}")
        self.wakeups = Wakeups(client, f"{base}:bell:{self.owner}", rung)
        self.heartbeat = Heartbeat(
            client,
            (self.owner, self.host, self.pid, started_at(self.pid)),
            timeout_s=timeout_s,
            max_deliveries=max_deliveries,
        )
        with ExitStack() as on_failure:
            try:
                self.wakeups.start()
            except (redis.RedisError, OSError) as error:
                raise explained(error) from error
            on_failure.callback(self.wakeups.stop)
            self.heartbeat.start()
            on_failure.pop_all()

    def poll_state(self, queue: str) -> PollState:
        """Return what is known of a queue. What one of its consumers found holds for all."""
        return self.poll_states.setdefault(queue, PollState())

    def stop(self) -> None:
        """Send no heartbeat and hear no wake-up any more. What is held stays held until `leave`."""
        self.heartbeat.stop()
        self.wakeups.stop()
        self.started.close()

    def leave(self) -> None:
        """Give back what is still held.

        Raises:
          EngineError: the server is away; the others find out by themselves.
        """
        answer = self._client.run([Call(scripts.LEAVE, (self.owner,))])[0]
        if isinstance(answer, Exception):
            raise explained(answer)


class PollState:
    """When to ask the server for messages of a queue again, after it had none.

    Attributes:
      heard: how many wake-ups had come when it was last asked.
      look_at_s: when to look without a wake-up, in seconds of the engine's clock.
    """

    def __init__(self) -> None:
        self.heard = -1
        self.look_at_s = -math.inf

    def is_empty(self, heard: int, now_s: float) -> bool:
        """Whether the server had nothing, and there is no reason to think otherwise."""
        return heard == self.heard and now_s < self.look_at_s

    def found_nothing(self, heard: int, look_at_s: float) -> None:
        self.heard, self.look_at_s = heard, look_at_s

    def found_something(self) -> None:
        self.look_at_s = -math.inf
