"""Settles deliveries: acknowledges them, puts them back, or moves them to the dead letters.

Each statement names the delivery's token. Under a stale token it changes nothing (I2).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from ..ack_buffer import AckBuffer, by_claim
from ..records import Delivery
from . import statements
from .enqueue import split_payload, state_and_due_at
from .storage.connection import Connection
from .storage.operations import Write


class AckBatch(Write[None]):
    """Acknowledges the deliveries that wait when its turn comes; keeps them, so that it can run again.

    Parameters:
      acks: gathers the deliveries.
    """

    def __init__(self, acks: AckBuffer) -> None:
        super().__init__(durable=False, lazy=True)
        self._acks = acks
        self._deliveries: list[Delivery] = []

    def apply(self, connection: Connection) -> None:
        self._deliveries += self._acks.take()
        for (queue, token), keys in by_claim(self._deliveries).items():
            connection.execute(statements.ACK_ALL, (json.dumps(keys), token))
            # A stale token deleted nothing, and is not counted.
            connection.execute(statements.COUNT_DONE, (queue, connection.changes()))


def retry_in_place(
    connection: Connection,
    delivery: Delivery,
    *,
    queue: str,
    payload: bytes,
    delay_ms: int,
    error: str | None,
    now_ms: int,
) -> bool:
    """Put a message back with another payload, in one update of its row; return False for a stale token."""
    state, due_at = state_and_due_at(delay_ms, now_ms)
    in_row, beside_row = split_payload(payload)
    connection.execute(
        statements.RETRY, (state, due_at, queue, in_row, error, delivery.receipt, delivery.token)
    )
    if not connection.changes():
        return False
    if beside_row is not None:
        connection.execute(statements.STORE_BODY, (delivery.receipt, beside_row))
    else:
        connection.execute(statements.DELETE_BODY, (delivery.receipt,))
    return True


def release(connection: Connection, deliveries: Sequence[Delivery], *, delay_ms: int, now_ms: int) -> None:
    """Put messages back as if they had not been delivered, after a delay if there is one."""
    state, due_at = state_and_due_at(delay_ms, now_ms) if delay_ms else ("ready", 0)
    connection.executemany(
        statements.RELEASE, [(state, due_at, delivery.receipt, delivery.token) for delivery in deliveries]
    )


def move_to_dead_letters(
    connection: Connection, key: int, token: int | None, *, reason: str, error: str | None, now_ms: int
) -> None:
    """Move a running message to the dead letters.

    Parameters:
      key, token: of the delivery.
      reason: why, in one of `Reason`'s words.
      error: the traceback or text that is kept with it; None keeps the last one of the message.
      now_ms: the time, in milliseconds since the epoch.
    """
    connection.execute(statements.COUNT_DEATH_OF_MESSAGE, (reason, key, token))
    connection.execute(statements.COPY_TO_DEAD_LETTERS, (now_ms, reason, error, key, token))
    connection.execute(statements.ACK, (key, token))
