"""The operators' side of the engine: counts, lists, replays, discards and adopts messages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from functools import partial
from typing import Any

from ..records import DeadLetterFilter, QueueMessage, QueueStats, State, StoredMessage, earlier_of
from . import operator_statements, statements
from .damaged_rows import readable
from .enqueue import MessageWriter, split_payload
from .storage.connection import Connection
from .storage.database import Database


class OperatorSide:
    """The verbs of `SQLiteBackend` that operators need, not workers."""

    _database: Database
    _message_writer: MessageWriter
    _note_ready: Callable[[str], None]
    _clock: Callable[[], int]

    def stats(self) -> Sequence[QueueStats]:
        return self._database.read(partial(_count, self._clock()))

    def list(self, queue: str, state: State, *, limit: int = 50, offset: int = 0) -> Sequence[StoredMessage]:
        return self._page(operator_statements.LIST[state], (queue, limit, offset))

    def get(self, message_id: str) -> StoredMessage | None:
        found = self._page(operator_statements.GET_LIVE, (message_id,)) or self._page(
            operator_statements.GET_DEAD, (message_id,)
        )
        return found[0] if found else None

    def dead_letters(
        self, which: DeadLetterFilter, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredMessage]:
        bindings = _bindings(which)
        return self._page(
            operator_statements.dead_letters(_narrowing(which)),
            {**bindings, "limit": limit, "offset": offset},
        )

    def count_dead_letters(self, which: DeadLetterFilter) -> int:
        statement = operator_statements.count_dead_letters(_narrowing(which))
        return int(self._database.read(lambda c: _one(c, statement, _bindings(which)) or 0))

    def replay(self, message_id: str, *, payload: bytes | None = None) -> bool:
        def apply(connection: Connection) -> bool:
            row: Any = connection.execute(operator_statements.READ_DEAD_LETTER, (message_id,)).fetchone()
            if row is None:
                return False
            queue, actor, priority, enqueued_at, stored = row
            message = QueueMessage(message_id, queue, actor, stored if payload is None else payload, priority)
            if not self._message_writer.store(connection, message, enqueued_at):
                return False  # a message with this id is in the queue again already
            connection.execute(operator_statements.DELETE_DEAD_LETTER, (message_id,))
            return True

        return self._database.write(apply)

    def adopt(self, messages: Sequence[StoredMessage]) -> int:
        return self._database.write(lambda c: sum(self._adopt(c, message) for message in messages))

    def _adopt(self, connection: Connection, m: StoredMessage) -> int:
        record = (m.message_id, m.queue, m.actor, m.priority, m.enqueued_at, m.deliveries, m.crashes)
        if m.state == "dead":
            connection.execute(statements.REGISTER_QUEUE, (m.queue,))
            return _run(
                connection,
                statements.INSERT_DEAD_LETTER,
                (*record, m.died_at, m.reason, m.last_error, m.payload),
            )
        in_row, beside_row = split_payload(m.payload)
        state = "delayed" if m.state == "delayed" else "ready"
        if not _run(
            connection, operator_statements.INSERT_ADOPTED, (*record, state, m.due_at, m.last_error, in_row)
        ):
            return 0
        if beside_row is not None:
            connection.execute(statements.STORE_BODY, (connection.last_insert_rowid(), beside_row))
        self._note_ready(m.queue)
        return 1

    def remove(self, messages: Sequence[StoredMessage]) -> None:
        def apply(connection: Connection) -> None:
            for message in messages:
                if message.state == "dead":
                    connection.execute(operator_statements.DELETE_DEAD_LETTER, (message.message_id,))
                else:
                    connection.execute(
                        operator_statements.DELETE_REMOVED, (message.message_id, message.state)
                    )

        self._database.write(apply)

    def discard(self, which: DeadLetterFilter) -> int:
        statement = operator_statements.discard(_narrowing(which))
        return self._database.write(lambda c: _run(c, statement, _bindings(which)))

    def pause(self, queue: str) -> None:
        self._database.write(lambda c: _run(c, operator_statements.SET_PAUSED, (queue, 1)))

    def resume(self, queue: str) -> None:
        def apply(connection: Connection) -> None:
            connection.execute(operator_statements.SET_PAUSED, (queue, 0))
            self._note_ready(queue)

        self._database.write(apply)

    def flush(self, queue: str) -> None:
        def apply(connection: Connection) -> None:
            connection.execute(operator_statements.DELETE_MESSAGES_OF_QUEUE, (queue,))
            connection.execute(operator_statements.DELETE_DEAD_LETTERS_OF_QUEUE, (queue,))

        self._database.write(apply)

    def _page(self, statement: str, bindings: tuple[Any, ...] | dict[str, Any]) -> Sequence[StoredMessage]:
        return self._database.read(
            lambda c: [_message(row) for row in c.execute(statement, bindings).fetchall()]
        )


def _run(connection: Connection, statement: str, bindings: tuple[Any, ...] | dict[str, Any]) -> int:
    """Run a statement; return how many rows it changed."""
    connection.execute(statement, bindings)
    return connection.changes()


def _narrowing(which: DeadLetterFilter) -> list[str]:
    """Return the names of the fields that narrow."""
    return [each.name for each in fields(which) if getattr(which, each.name) is not None]


def _bindings(which: DeadLetterFilter) -> dict[str, Any]:
    ids = None if which.message_ids is None else json.dumps(list(which.message_ids))
    text, text_in_json = which.spellings or (None, None)
    return {
        "queue": which.queue,
        "actor": which.actor,
        "reason": which.reason,
        "message_ids": ids,
        "text": text,
        "text_in_json": text_in_json,
        "died_since": which.died_since,
        "died_before": which.died_before,
    }


def _message(row: Any) -> StoredMessage:
    message_id, queue, actor, state, payload, *numbers, error, reason, died_at = row
    texts = (readable(message_id), readable(queue), readable(actor), state)
    ends = (None if error is None else readable(error), None if reason is None else readable(reason), died_at)
    return StoredMessage._make((*texts, payload, *numbers, *ends))


def _by_name(connection: Connection, statement: str) -> dict[str, int]:
    rows: Any = connection.execute(statement).fetchall()
    return {readable(name): count for name, count in rows}


def _count(now_ms: int, connection: Connection) -> Sequence[QueueStats]:
    uncounted = _by_name(connection, operator_statements.COUNT_UNCOUNTED)
    running = _by_name(connection, operator_statements.COUNT_RUNNING)
    queues: Any = connection.execute(operator_statements.LIST_QUEUES).fetchall()
    counted = []
    for name_as_bytes, paused, done, live in queues:
        name = readable(name_as_bytes)
        delayed = _one(connection, operator_statements.COUNT_DELAYED, (name,))
        oldest_due_at = _one(connection, operator_statements.OLDEST_DUE, {"queue": name, "now": now_ms})
        oldest_tried_at = _one(connection, operator_statements.OLDEST_TRIED, (name,))
        counted.append(
            QueueStats(
                queue=name,
                ready=(live or 0) + uncounted.get(name, 0) - delayed - running.get(name, 0),
                delayed=delayed,
                running=running.get(name, 0),
                dead=_one(connection, operator_statements.COUNT_DEAD, (name,)),
                done=done,
                oldest_due_at=oldest_due_at,
                counted_at=now_ms,
                waits_since=earlier_of(oldest_due_at, oldest_tried_at),
                paused=bool(paused),
                died=_died(connection, name),
            )
        )
    return counted


def _died(connection: Connection, queue: str) -> dict[str, int]:
    rows: Any = connection.execute(operator_statements.DEATHS_BY_REASON, (queue,)).fetchall()
    return {readable(reason): count for reason, count in rows}


def _one(connection: Connection, statement: str, bindings: tuple[Any, ...] | dict[str, Any]) -> Any:
    row = connection.execute(statement, bindings).fetchone()
    return row[0] if row else None
