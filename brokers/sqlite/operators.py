"""The operators' side of the engine: counting, looking, replaying, discarding, pausing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import apsw

from ..backend import DeadLetterFilter, QueueMessage, QueueStats, State, StoredMessage
from . import statements
from .database import Database


class OperatorSide:
    """What `SQLiteBackend` does for people rather than for workers."""

    _database: Database
    _insert: Callable[[apsw.Connection, QueueMessage, int], bool]

    def stats(self) -> Sequence[QueueStats]:
        return self._database.read(_count)

    def list(self, queue: str, state: State, *, limit: int = 50, offset: int = 0) -> Sequence[StoredMessage]:
        return self._page(statements.LIST[state], (queue, limit, offset))

    def get(self, message_id: str) -> StoredMessage | None:
        found = self._page(statements.GET_LIVE, (message_id,)) or self._page(
            statements.GET_DEAD, (message_id,)
        )
        return found[0] if found else None

    def dead_letters(
        self, which: DeadLetterFilter, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredMessage]:
        return self._page(statements.DEAD_LETTERS, {**_bindings(which), "limit": limit, "offset": offset})

    def replay(self, message_id: str, *, payload: bytes | None = None) -> bool:
        def apply(connection: apsw.Connection) -> bool:
            row: Any = connection.execute(statements.DEAD_LETTER, (message_id,)).fetchone()
            if row is None:
                return False
            queue, actor, priority, enqueued_at, stored = row
            message = QueueMessage(message_id, queue, actor, stored if payload is None else payload, priority)
            if not self._insert(connection, message, enqueued_at):
                return False  # a message of this id is in the queue again already
            connection.execute(statements.EXHUME, (message_id,))
            return True

        return self._database.write(apply)

    def discard(self, which: DeadLetterFilter) -> int:
        return self._database.write(lambda c: _changes(c, statements.DISCARD, _bindings(which)))

    def _page(self, statement: str, bindings: tuple[Any, ...] | dict[str, Any]) -> Sequence[StoredMessage]:
        return self._database.read(
            lambda c: [StoredMessage._make(row) for row in c.execute(statement, bindings)]
        )


def _changes(connection: apsw.Connection, statement: str, bindings: dict[str, Any]) -> int:
    connection.execute(statement, bindings)
    return connection.changes()


def _bindings(which: DeadLetterFilter) -> dict[str, Any]:
    ids = None if which.message_ids is None else json.dumps(list(which.message_ids))
    return {"queue": which.queue, "actor": which.actor, "reason": which.reason, "message_ids": ids}


def _rows(connection: apsw.Connection, statement: str) -> Any:
    return connection.execute(statement).fetchall()


def _count(connection: apsw.Connection) -> Sequence[QueueStats]:
    delayed: dict[str, int] = dict(_rows(connection, statements.COUNT_DELAYED))
    running: dict[str, int] = dict(_rows(connection, statements.COUNT_RUNNING))
    return [
        QueueStats(
            queue=name,
            ready=_one(connection, statements.COUNT_READY, (name,)),
            delayed=delayed.get(name, 0),
            running=running.get(name, 0),
            dead=_one(connection, statements.COUNT_DEAD, (name,)),
            done=done,
            oldest_due_at=_one(connection, statements.OLDEST_DUE, {"queue": name}),
            paused=bool(paused),
        )
        for name, paused, done in _rows(connection, statements.QUEUES)
    ]


def _one(connection: apsw.Connection, statement: str, bindings: tuple[Any, ...] | dict[str, Any]) -> Any:
    row = connection.execute(statement, bindings).fetchone()
    return row[0] if row else None
