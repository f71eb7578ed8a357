"""Messages whose rows are not whole: something other than this engine, or a disk, has changed them.

SQLite keeps in a column whatever it is given. A row that holds another type or bytes that are no text, or
whose payload is gone, must not keep a queue from its other messages. It becomes a dead letter, with as much
of it as there is, and a message that no claim would ever find is looked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import statements
from .connection import Connection

#: What its dead letter says.
DAMAGED = (
    "The row of this message is not whole in the database: {what}. Something else has changed the file, or "
    "the disk has: check it with `PRAGMA integrity_check`. What is left of the message is here."
)

_TYPES = (str, int, int, int, int)

#: How many messages are looked at when a claim has failed: more than any claim takes.
HEAD = 1_000


def is_whole(head: Sequence[Any]) -> bool:
    """Whether what a claim read of a row has the types that it should have.

    Parameters:
      head: row, message id, deliveries, when it was enqueued and is due, and crashes.
    """
    _, message_id, count, enqueued_at, due_at, crashes = head
    types = (type(message_id), type(count), type(enqueued_at), type(due_at), type(crashes))
    return types == _TYPES


def set_aside_damaged_head(connection: Connection, queue: str, now_ms: int) -> int:
    """Make dead letters of the damaged ones among a queue's next messages; return how many these were."""
    rows: Any = connection.execute(statements.LOOK_AT_HEAD, (queue, HEAD)).fetchall()
    damaged = [
        row for row, has_its_types, *texts in rows if not (has_its_types and all(map(_is_text, texts)))
    ]
    for row in damaged:
        set_aside(connection, row, "a field is of another type, or no text", now_ms)
    return len(damaged)


def stray(connection: Connection) -> Sequence[int]:
    """The rows of messages that no claim and no recovery would find."""
    rows: Any = connection.execute(statements.STRAY).fetchall()
    names: Any = connection.execute(statements.QUEUE_NAMES).fetchall()
    for (name,) in names:
        if not _is_text(name):
            rows += connection.execute(statements.IN_QUEUE, (name, name)).fetchall()
    return [row for (row,) in rows]


def set_aside_stray(connection: Connection, now_ms: int) -> int:
    """Make dead letters of messages that no claim and no recovery would find; return how many these were."""
    rows = stray(connection)
    for row in rows:
        set_aside(connection, row, "its queue, its time or its holder cannot be told", now_ms)
    return len(rows)


def set_aside(connection: Connection, row: int, what: str, now_ms: int) -> None:
    """Make a dead letter of one row."""
    found: Any = connection.execute(statements.REMAINS, (row,)).fetchone()
    if found is None:
        return  # somebody else has done so
    message_id, queue, actor, payload, *numbers = found  # priority, enqueued_at, deliveries, crashes
    name = message_id.decode() if _is_text(message_id) and message_id else f"row-{row}"
    queue_name, reason = readable(queue), "undecodable"
    connection.execute(statements.KNOW_QUEUE, (queue_name,))
    record = (
        name,
        queue_name,
        readable(actor),
        *numbers,
        now_ms,
        reason,
        DAMAGED.format(what=what),
        payload,
    )
    connection.execute(statements.ADOPT_DEAD, record)
    if not connection.changes():  # a dead letter has that id already
        connection.execute(statements.ADOPT_DEAD, (f"{name}-row-{row}", *record[1:]))
    connection.execute(statements.COUNT_DEATH, (queue_name, reason))
    connection.execute(statements.DELETE_ROW, (row,))


def _is_text(value: bytes | None) -> bool:
    try:
        return value is not None and value.decode() is not None
    except UnicodeDecodeError:
        return False


def readable(value: bytes | None) -> str:
    """A text as people can read it, whatever bytes it is made of."""
    return (value or b"").decode(errors="backslashreplace")
