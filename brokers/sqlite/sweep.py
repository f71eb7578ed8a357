"""Sweeping the ids of messages that are gone out of the table of ids, many at a time.

Ids are random: when many messages wait, to take one out is to read, change and log a page for it alone.
Taken out in their order, a hundred thousand share the pages of a million.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import apsw

from . import statements
from .database import Database

#: The most that are swept at a time: their ids pass through memory, 4 MB of them.
MOST = 100_000

#: How many one transaction sweeps: it takes some 2 ms, which others may have to wait.
STEP = 500


def sweep_spent_ids(database: Database) -> Iterator[None]:
    """Sweep, step by step, when there are a quarter as many spent ids as messages, or a great many.

    Harmless when two processes do it, or one that is killed halfway: an id is taken out if it has no message,
    and stays noted as spent until then.

    Raises:
      EngineError: the engine could not.
    """
    first, last = database.read(_worth_sweeping)
    if first is None:
        return
    last = min(last, first + MOST - 1)
    for ids in database.read(partial(_in_order, last)):
        database.write(partial(_run, statements.FORGET_IDS, (ids,)), durable=False)
        yield
    for number in range(first, last + 1, STEP):
        database.write(partial(_run, statements.SWEPT, (min(last, number + STEP - 1),)), durable=False)
        yield


def _worth_sweeping(connection: apsw.Connection) -> tuple[int | None, int]:
    """The numbers of the first and the last spent id, or None."""
    row: Any = connection.execute(statements.WORTH_SWEEPING, (MOST,)).fetchone()
    return row or (None, 0)


def _in_order(last: int, connection: apsw.Connection) -> list[str]:
    """The ids, as JSON arrays of a step each."""
    rows: Any = connection.execute(statements.SPENT_IN_ORDER, (STEP, last)).fetchall()
    return [ids for (ids,) in rows]


def _run(statement: str, bindings: tuple[Any, ...], connection: apsw.Connection) -> None:
    connection.execute(statement, bindings)
