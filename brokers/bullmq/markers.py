"""Waiting for a job as BullMQ's workers do: on the marker of its queue, which a new job sets."""

from __future__ import annotations

import threading
from base64 import b64encode
from typing import Any

import redis

from ..redis.client import RedisClient, explained

#: How long an answer may take beyond the time that the server was asked to wait, in seconds.
ANSWER_WITHIN_S = 5.0

#: The shortest wait, in seconds. The server takes 0 for no end.
SHORTEST_S = 0.001


class Markers:
    """Waits for queues, each time on a connection that nothing else uses meanwhile.

    Parameters:
      client: the way to the server.
      prefix: what the keys of all queues begin with.
      owner: this process's name in locks. BullMQ's tools show it among a queue's workers.
    """

    def __init__(self, client: RedisClient, *, prefix: str, owner: str) -> None:
        self._client = client
        self._prefix = prefix
        self._owner = owner
        self._free: dict[str, list[Any]] = {}
        self._changing = threading.Lock()

    def wait(self, queue: str, timeout_s: float) -> bool:
        """Block until a queue's marker is there, and take it; return False when time is up.

        The caller then has to look for jobs: no other worker is woken for them.

        Raises:
          EngineError: the server is away.
        """
        key = f"{self._prefix}:{queue}:marker"
        connection: Any = None
        try:
            connection = self._take(queue)
            connection.send_command("BZPOPMIN", key, max(SHORTEST_S, timeout_s), check_health=False)
            if not connection.can_read(timeout=timeout_s + ANSWER_WITHIN_S):
                raise redis.TimeoutError("no answer to BZPOPMIN")
            answer = connection.read_response()
        except (redis.RedisError, OSError) as error:
            if connection is not None:
                connection.disconnect()
            raise explained(error) from error
        with self._changing:
            self._free.setdefault(queue, []).append(connection)
        return answer is not None

    def _take(self, queue: str) -> Any:
        with self._changing:
            free = self._free.get(queue)
            if free:
                return free.pop()
        connection = self._client.connect()
        # As BullMQ's own workers are named, so that its tools find this one.
        name = f"{self._prefix}:{b64encode(queue.encode()).decode()}:w:recado-{self._owner}"
        connection.send_command("CLIENT", "SETNAME", name, check_health=False)
        connection.read_response()
        return connection

    def close(self) -> None:
        """Close all connections that nothing waits on."""
        with self._changing:
            free, self._free = self._free, {}
        for connections in free.values():
            for connection in connections:
                connection.disconnect()
