"""Sweeping the ids of messages that are gone out of the table of ids, many at a time.

Ids are random: when many messages wait, to take one out is to read, change and log a page for it alone.
Taken out in their order, a hundred thousand share the pages of a million.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from . import statements
from .connection import Connection
from .database import Database

#: The most that are swept at a time: their ids pass through memory, 4 MB of them.
MOST = 100_000

#: How many one transaction sweeps: it takes some 2 ms, which others may have to wait.
STEP = 500


def sweep_spent_ids(database: Database) -> Iterator[None]:
    """Sweep, step by step, when there are a quarter as many spent ids as messages, or `MOST`.

    Harmless when two processes do it, or one that is killed halfway: an id is taken out if it has no message,
    and stays noted as spent until then.

    Raises:
      EngineError: the engine could not.
    """
    found = database.read(partial(_row, statements.WORTH_SWEEPING, {"many": MOST}))
    if found is None:
        return
    first, last = found[0], min(found[1], found[0] + MOST - 1)
    for ids in database.read(partial(_in_order, last)):
        database.write(partial(_run, statements.FORGET_IDS, (ids,)), durable=False)
        yield
    for number in range(first, last + 1, STEP):
        database.write(partial(_run, statements.SWEPT, (min(last, number + STEP - 1),)), durable=False)
        yield
    database.write(partial(_run, statements.COUNT_TOTAL, ()), durable=False)


def _in_order(last: int, connection: Connection) -> list[str]:
    """The ids, as JSON arrays of a step each."""
    rows: Any = connection.execute(statements.SPENT_IN_ORDER, {"last": last, "step": STEP}).fetchall()
    return [ids for (ids,) in rows]


def _row(statement: str, bindings: dict[str, Any], connection: Connection) -> Any:
    return connection.execute(statement, bindings).fetchone()


def _run(statement: str, bindings: tuple[Any, ...], connection: Connection) -> None:
    connection.execute(statement, bindings)
