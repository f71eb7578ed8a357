"""Acknowledgements: nobody waits for them, so they travel together."""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque

import apsw

from ..backend import Delivery
from ..writer import Operation
from . import statements
from .database import Database


class Acks:
    """Gathers acks and writes them with the next commit, at most a few milliseconds later.

    Appending to a deque is atomic, so worker threads take the lock only when a batch has to be started.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: deque[Delivery] = deque()
        self._is_scheduled = False
        self._scheduling = threading.Lock()

    def add(self, delivery: Delivery) -> None:
        self._waiting.append(delivery)
        if not self._is_scheduled:
            with self._scheduling:
                if self._is_scheduled:
                    return
                self._is_scheduled = True
            try:
                self._database.submit(_AckBatch(self))
            except BaseException:
                self._is_scheduled = False  # or all acks to come would wait for a batch that never was
                raise

    def take(self) -> list[Delivery]:
        """What waits now. Whoever comes later starts another batch."""
        self._is_scheduled = False  # before taking: an ack that is not taken finds it unset
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


class _AckBatch(Operation[apsw.Connection, None]):
    """Writes what waits when its turn comes. What it took it keeps, so that it can be tried again."""

    __slots__ = ("_acks", "_deliveries")

    def __init__(self, acks: Acks) -> None:
        super().__init__(self._write, durable=False, lazy=True)
        self._acks = acks
        self._deliveries: list[Delivery] = []

    def _write(self, connection: apsw.Connection) -> None:
        self._deliveries += self._acks.take()
        # One statement for each claim's messages rather than one for each message: between statements this
        # thread has to win the GIL back from busy workers.
        claims: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        for delivery in self._deliveries:
            claims[delivery.queue, delivery.token].append(delivery.key)
        for (queue, token), keys in claims.items():
            connection.execute(statements.ACK_ALL, (json.dumps(keys), token))
            # A stale token deleted nothing, and does not count.
            connection.execute(statements.COUNT_DONE, (queue, connection.changes()))
