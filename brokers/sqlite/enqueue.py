"""Stores messages: one by one, or all that wait for the same commit in one statement."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

from ..records import QueueMessage
from . import statements
from .storage.connection import Connection
from .storage.operations import Write

#: The largest payload that lies in its row, in bytes. A larger one lies beside it, in `message_body`: to
#: carry it through each claim would cost more than a second read.
INLINE_BYTES = 8 * 1024


class MessageWriter:
    """Writes messages into the tables.

    Parameters:
      clock: milliseconds since the epoch.
      on_stored: called in the transaction that stores a message, with the message's queue.
    """

    def __init__(self, clock: Callable[[], int], on_stored: Callable[[str], None]) -> None:
        self._clock = clock
        self._on_stored = on_stored

    def store(self, connection: Connection, message: QueueMessage, enqueued_at: int | None = None) -> bool:
        """Store a message; return False when a message with its id, or with its unique key, is there already.

        Parameters:
          enqueued_at: when the message was first enqueued, in milliseconds since the epoch; None for now.
        """
        now = self._clock()  # read once: a delay counts from the very moment that is stored
        if message.unique_key is not None and unique_key_holder(connection, message.unique_key, now):
            return False
        state, due_at = state_and_due_at(message.delay_ms, now)
        in_row, beside_row = split_payload(message.payload)
        connection.kept_cursor.execute(
            statements.ENQUEUE,
            (
                message.message_id,
                message.queue,
                message.actor,
                state,
                message.priority,
                due_at,
                now - message.waited_ms if enqueued_at is None else enqueued_at,
                in_row,
            ),
        )
        if not connection.changes():
            return False
        if beside_row is not None:
            connection.execute(statements.STORE_BODY, (connection.last_insert_rowid(), beside_row))
        if message.unique_key is not None:
            expires_at = now + message.unique_for_ms
            connection.execute(statements.DELETE_EXPIRED_KEYS, (now,))
            connection.execute(
                statements.STORE_UNIQUE_KEY, (message.unique_key, message.message_id, expires_at)
            )
        self._on_stored(message.queue)
        return True

    def store_all(self, connection: Connection, messages: Sequence[QueueMessage]) -> Sequence[bool]:
        """Store plain messages in one statement; return for each whether it is new."""
        now = self._clock()
        heads, begin = [], 1  # SQL counts bytes from 1
        for m in messages:
            state, due_at = state_and_due_at(m.delay_ms, now)
            record = (m.message_id, m.queue, m.actor, state, m.priority, due_at, now - m.waited_ms)
            heads.append((*record, begin, len(m.payload)))
            begin += len(m.payload)
        payloads = b"".join([m.payload for m in messages])
        connection.kept_cursor.execute(statements.ENQUEUE_ALL, (payloads, json.dumps(heads)))
        count = connection.changes()
        if count:
            for queue in {m.queue for m in messages}:
                self._on_stored(queue)
        return [True] * count if count == len(messages) else _which_are_new(connection, messages, count)


def _which_are_new(connection: Connection, messages: Sequence[QueueMessage], count: int) -> Sequence[bool]:
    """Return for each message whether the statement before, which stored `count` of them, stored it."""
    # The rows of one statement are numbered one after the other. Of two messages with one id only the first
    # is new.
    last = connection.last_insert_rowid()
    rows: Any = connection.execute(statements.IDS_BETWEEN, (last - count, last)).fetchall() if count else []
    new = {row[0] for row in rows}
    stored = []
    for m in messages:
        stored.append(m.message_id in new)
        new.discard(m.message_id)
    return stored


class Enqueue(Write[bool]):
    """Stores a message. The result is False when a message with its id or unique key is there already.

    Parameters:
      message: the message.
      writer: writes it into the tables.
    """

    def __init__(self, message: QueueMessage, writer: MessageWriter) -> None:
        self._message = message
        self._writer = writer
        # Such a message is nothing but its row.
        self.is_one_statement = message.unique_key is None and len(message.payload) <= INLINE_BYTES

    def apply(self, connection: Connection) -> bool:
        return self._writer.store(connection, self._message)

    @classmethod
    def are_one_statement(cls, operations: Sequence[Any]) -> bool:
        return all(map(_is_one_statement, operations))

    @classmethod
    def apply_all(cls, connection: Connection, operations: Sequence[Any]) -> None:
        for is_one_statement, alike in groupby(operations, key=_is_one_statement):
            enqueues = list(alike)
            if is_one_statement and len(enqueues) > 1:
                _store_all(enqueues, connection)
            else:
                super().apply_all(connection, enqueues)


_is_one_statement = attrgetter("is_one_statement")


def _store_all(enqueues: Sequence[Enqueue], connection: Connection) -> None:
    """Store several messages that are nothing but their rows."""
    stored = enqueues[0]._writer.store_all(connection, [each._message for each in enqueues])
    for each, is_new in zip(enqueues, stored, strict=True):
        each.result = is_new


def split_payload(payload: bytes) -> tuple[bytes | None, bytes | None]:
    """Return the payload for the row, and the payload beside the row; one of them is None."""
    return (payload, None) if len(payload) <= INLINE_BYTES else (None, payload)


def state_and_due_at(delay_ms: int, now_ms: int) -> tuple[str, int]:
    """Return the state of a message that is stored now, and when it is due (milliseconds since the epoch)."""
    return ("delayed", now_ms + delay_ms) if delay_ms > 0 else ("ready", now_ms)


def unique_key_holder(connection: Connection, unique_key: str, now_ms: int) -> str | None:
    """Return the id of the message that has a unique key now; None where there is none."""
    row: Any = connection.execute(statements.UNIQUE_KEY_HOLDER, (unique_key, now_ms)).fetchone()
    return None if row is None else row[0]
