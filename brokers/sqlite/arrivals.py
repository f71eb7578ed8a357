"""Storing messages: one by one, or all that wait for the same commit in one statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from ..backend import QueueMessage
from . import statements
from .connection import Connection
from .write import Write

#: Payloads above this go beside their row: dragging them through each claim costs more than a second look.
INLINE_BYTES = 8 * 1024


class Arrivals:
    """Puts messages into their places.

    Parameters:
      clock: milliseconds since the epoch.
      on_stored: called in the transaction that stores something.
    """

    def __init__(self, clock: Callable[[], int], on_stored: Callable[[], None]) -> None:
        self._clock = clock
        self._on_stored = on_stored

    def store(self, connection: Connection, message: QueueMessage, enqueued_at: int | None = None) -> bool:
        """Store a message. False: one of its id, or that has its unique key, is there already.

        Parameters:
          enqueued_at: when it was first enqueued, if that was not now.
        """
        now = self._clock()  # once: a delay counts from the very moment that is noted down
        if message.unique_key is not None and holder_of(connection, message.unique_key, now):
            return False
        state, due_at = when(message.delay_ms, now)
        inline, beside = place(message.payload)
        connection.at_hand.execute(
            statements.ENQUEUE,
            (
                message.message_id,
                message.queue,
                message.actor,
                state,
                message.priority,
                due_at,
                now - message.waited_ms if enqueued_at is None else enqueued_at,
                inline,
            ),
        )
        if not connection.changes():
            return False
        if beside is not None:
            connection.execute(statements.KEEP_BODY, (connection.last_insert_rowid(), beside))
        if message.unique_key is not None:
            expires_at = now + message.unique_for_ms
            connection.execute(statements.EXPIRE_KEYS, (now,))
            connection.execute(statements.TAKE_KEY, (message.unique_key, message.message_id, expires_at))
        self._on_stored()
        return True

    def store_all(self, connection: Connection, messages: Sequence[QueueMessage]) -> Sequence[bool]:
        """Store plain messages in one statement; for each, whether it was not there already."""
        now = self._clock()
        heads, begin = [], 1  # SQL counts bytes from 1
        for m in messages:
            state, due_at = when(m.delay_ms, now)
            record = (m.message_id, m.queue, m.actor, state, m.priority, due_at, now - m.waited_ms)
            heads.append((*record, begin, len(m.payload)))
            begin += len(m.payload)
        payloads = b"".join([m.payload for m in messages])
        connection.at_hand.execute(statements.ENQUEUE_ALL, (payloads, json.dumps(heads)))
        count = connection.changes()
        if count:
            self._on_stored()
        return [True] * count if count == len(messages) else _which_are_new(connection, messages, count)


def _which_are_new(connection: Connection, messages: Sequence[QueueMessage], count: int) -> Sequence[bool]:
    """After a statement that stored `count` of these: whether it was this one."""
    # The rows of one statement are numbered one after the other. Of two with one id only the first is new.
    last = connection.last_insert_rowid()
    rows: Any = connection.execute(statements.IDS_BETWEEN, (last - count, last)).fetchall() if count else []
    new = {row[0] for row in rows}
    stored = []
    for m in messages:
        stored.append(m.message_id in new)
        new.discard(m.message_id)
    return stored


class Arrival(Write[bool]):
    """A message to be stored within the next transaction.

    Parameters:
      message: it.
      arrivals: puts it into its place.
    """

    def __init__(self, message: QueueMessage, arrivals: Arrivals) -> None:
        self._message = message
        self._arrivals = arrivals
        # Nothing has to be stored but its row.
        self.is_one_statement = message.unique_key is None and len(message.payload) <= INLINE_BYTES

    def apply(self, connection: Connection) -> bool:
        return self._arrivals.store(connection, self._message)

    @classmethod
    def are_one_statement(cls, operations: Sequence[Any]) -> bool:
        return all(map(_is_one_statement, operations))

    @classmethod
    def apply_all(cls, connection: Connection, operations: Sequence[Any]) -> None:
        for is_one_statement, alike in groupby(operations, key=_is_one_statement):
            arrivals = list(alike)
            if is_one_statement and len(arrivals) > 1:
                _store_all(arrivals, connection)
            else:
                super().apply_all(connection, arrivals)


_is_one_statement = attrgetter("is_one_statement")


def _store_all(arrivals: Sequence[Arrival], connection: Connection) -> None:
    """Store several that are nothing but their rows."""
    stored = arrivals[0]._arrivals.store_all(connection, [each._message for each in arrivals])
    for each, is_new in zip(arrivals, stored, strict=True):
        each.result = is_new


def place(payload: bytes) -> tuple[bytes | None, bytes | None]:
    """Where a payload goes: into its row, or beside it."""
    return (payload, None) if len(payload) <= INLINE_BYTES else (None, payload)


def when(delay_ms: int, now: int) -> tuple[str, int]:
    """The state a message goes into, and when it is due."""
    return ("delayed", now + delay_ms) if delay_ms > 0 else ("ready", now)


def holder_of(connection: Connection, unique_key: str, now_ms: int) -> str | None:
    """The id of the message that has a unique key now."""
    row: Any = connection.execute(statements.HOLDER_OF_KEY, (unique_key, now_ms)).fetchone()
    return None if row is None else row[0]
