"""Makes dead letters of messages whose rows are damaged: another program, or the disk, has changed them.

SQLite keeps in a column whatever it is given. A row with a value of another type, with bytes that are no
text, or without its payload, must not keep a queue from its other messages. Such a row becomes a dead
letter, with all that is left of the message. Rows that no claim would ever find are searched for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from . import statements
from .storage.connection import Connection

#: The error text of such a dead letter.
DAMAGED = (
    "The row of this message is not whole in the database: {what}. Something else has changed the file, or "
    "the disk has: check it with `PRAGMA integrity_check`. What is left of the message is here."
)

#: How many messages are checked when a claim has failed: more than any claim takes.
HEAD = 1_000

#: The types of what a claim reads: row, message id, deliveries, when it was enqueued and is due, crashes.
_TYPES = [int, str, int, int, int, int]


def has_its_types(head: Sequence[Any]) -> bool:
    """Return whether the fields that a claim read of a row have their types.

    Parameters:
      head: the fields, in the order of `_TYPES`.
    """
    return [*map(type, head)] == _TYPES


def set_damaged_head_aside(connection: Connection, queue: str, now_ms: int) -> int:
    """Make dead letters of the damaged rows among a queue's next messages; return how many there were."""
    rows: Any = connection.execute(statements.CHECK_NEXT_READY, (queue, HEAD)).fetchall()
    damaged = [row for row, has_types, *texts in rows if not (has_types and all(map(_is_text, texts)))]
    for row in damaged:
        set_aside(connection, row, "a field is of another type, or no text", now_ms)
    return len(damaged)


def unreachable(connection: Connection) -> Sequence[int]:
    """Return the rows of messages that no claim and no recovery would find."""
    rows: Any = connection.execute(statements.FIND_UNREACHABLE).fetchall()
    names: Any = connection.execute(statements.QUEUE_NAMES).fetchall()
    for (name,) in names:
        if not _is_text(name):
            rows += connection.execute(statements.FIND_IN_MISNAMED_QUEUE, (name, name)).fetchall()
    return [row for (row,) in rows]


def set_unreachable_aside(connection: Connection, now_ms: int) -> int:
    """Make dead letters of messages that no claim and no recovery would find; return how many there were."""
    rows = unreachable(connection)
    for row in rows:
        set_aside(connection, row, "its queue, its time or its holder cannot be told", now_ms)
    return len(rows)


def set_aside(connection: Connection, row: int, what: str, now_ms: int) -> None:
    """Make a dead letter of one damaged row, unless another process has done so."""
    found: Any = connection.execute(statements.READ_DAMAGED_ROW, (row,)).fetchone()
    if found is None:
        return
    message_id, queue, actor, payload, *numbers = found  # priority, enqueued_at, deliveries, crashes
    name = message_id.decode() if _is_text(message_id) and message_id else f"row-{row}"
    queue_name, reason = readable(queue), "undecodable"
    connection.execute(statements.REGISTER_QUEUE, (queue_name,))
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
    connection.execute(statements.INSERT_DEAD_LETTER, record)
    if not connection.changes():  # a dead letter has that id already
        connection.execute(statements.INSERT_DEAD_LETTER, (f"{name}-row-{row}", *record[1:]))
    connection.execute(statements.COUNT_DEATH, (queue_name, reason))
    connection.execute(statements.DELETE_ROW, (row,))


def _is_text(value: bytes | None) -> bool:
    try:
        return value is not None and value.decode() is not None
    except UnicodeDecodeError:
        return False


def readable(value: bytes | None) -> str:
    """Return a text that people can read, whatever bytes it is made of."""
    return (value or b"").decode(errors="backslashreplace")
