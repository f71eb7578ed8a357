"""Acknowledgements: nobody waits for them, so they travel together."""

from __future__ import annotations

import json
import threading
from collections import defaultdict

import apsw

from ..backend import Delivery
from ..writer import Operation
from . import statements
from .database import Database


class Acks:
    """Gathers acks and writes them with the next commit, at most a few milliseconds later."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._open: _AckBatch | None = None

    def add(self, delivery: Delivery) -> None:
        with self._lock:
            batch = self._open
            if batch is not None:
                batch.deliveries.append(delivery)
                return
            batch = self._open = _AckBatch(self, delivery)
        self._database.submit(batch)

    def seal(self, batch: _AckBatch) -> None:
        """From here on, acks go to the next batch."""
        with self._lock:
            if self._open is batch:
                self._open = None


class _AckBatch(Operation[apsw.Connection, None]):
    __slots__ = ("_acks", "deliveries")

    def __init__(self, acks: Acks, first: Delivery) -> None:
        super().__init__(self._write, durable=False, lazy=True)
        self._acks = acks
        self.deliveries = [first]

    def _write(self, connection: apsw.Connection) -> None:
        self._acks.seal(self)
        # One statement for each claim's messages rather than one for each message: between statements this
        # thread has to win the GIL back from busy workers.
        claims: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
        for delivery in self.deliveries:
            claims[delivery.queue, delivery.token].append(delivery.key)
        for (queue, token), keys in claims.items():
            connection.execute(statements.ACK_ALL, (json.dumps(keys), token))
            # A stale token deleted nothing, and does not count.
            connection.execute(statements.COUNT_DONE, (queue, connection.changes()))
