"""A consuming process's place: its name, its heart, its bell, and what it knows of each queue."""

from __future__ import annotations

import math
import os
import secrets
from contextlib import ExitStack

import redis

from . import scripts
from .bell import Bell
from .heart import Heart
from .life import started_at, this_host
from .marks import Marks
from .scripts import Call
from .server import Server, explained


class Desk:
    """Where a process sits that consumes; one that only enqueues never gets here.

    Parameters:
      server: the server.
      base: what every key begins with.
      timeout_s: after how many seconds of silence this process is dead.
      max_deliveries: how many workers may die under a message before it is set aside.

    Attributes:
      owner: this process's name in leases, random and never used twice.

    Raises:
      EngineError: the server is away.
    """

    def __init__(self, server: Server, base: str, *, timeout_s: float, max_deliveries: int) -> None:
        self._server = server
        self.owner = secrets.token_hex(8)
        self.host, self.pid = this_host(), os.getpid()
        self.outlooks: dict[str, Outlook] = {}
        self.marks = Marks(server, f"{base}:started:{self.owner}")
        self.bell = Bell(server, f"{base}:bell:{self.owner}")
        self.heart = Heart(
            server,
            (self.owner, self.host, self.pid, started_at(self.pid)),
            timeout_s=timeout_s,
            max_deliveries=max_deliveries,
        )
        with ExitStack() as on_failure:
            try:
                self.bell.start()
            except (redis.RedisError, OSError) as error:
                raise explained(error) from error
            on_failure.callback(self.bell.stop)
            self.heart.start()
            on_failure.pop_all()

    def outlook(self, queue: str) -> Outlook:
        """What is known of a queue. What one of its consumers found holds for all."""
        return self.outlooks.setdefault(queue, Outlook())

    def stop(self) -> None:
        """Beat and listen no more. What is held stays held until `leave`."""
        self.heart.stop()
        self.bell.stop()
        self.marks.close()

    def leave(self) -> None:
        """Give back what is still held.

        Raises:
          EngineError: the server is away; the others find out by themselves.
        """
        answer = self._server.run([Call(scripts.LEAVE, (self.owner,))])[0]
        if isinstance(answer, Exception):
            raise explained(answer)


class Outlook:
    """When to ask the server for messages of a queue again, after it had none.

    Attributes:
      heard: how often the bell had rung when it was last asked.
      look_at_s: when to look without being called, in seconds of the engine's clock.
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
