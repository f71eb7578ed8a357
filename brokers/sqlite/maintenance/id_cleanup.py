"""Deletes the ids of finished messages from the table of known ids, many at a time.

Ids are random: when many messages wait, to delete a single id is to read, change and log a page for it
alone. Deleted in their order, a hundred thousand share the pages of a million.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from .. import statements
from ..storage.connection import Connection
from ..storage.database import Database

#: The most ids that are deleted in one cleanup: they pass through memory, 4 MB of them.
MAX_IDS = 100_000

#: How many ids one transaction deletes: it takes some 2 ms, for which other processes may have to wait.
STEP = 500


def delete_spent_ids(database: Database) -> Iterator[None]:
    """Delete spent ids, step by step, once there are a quarter as many as messages, or `MAX_IDS`.

    Harmless when two processes do it, or one that is killed halfway: an id is deleted if it has no message,
    and stays noted as spent until then.

    Raises:
      EngineError: SQLite could not.
    """
    found = database.read(partial(_first_row, statements.SPENT_ID_RANGE, {"many": MAX_IDS}))
    if found is None:
        return
    first, last = found[0], min(found[1], found[0] + MAX_IDS - 1)
    for ids in database.read(partial(_ids_in_order, last)):
        database.write(partial(_run, statements.DELETE_KNOWN_IDS, (ids,)), durable=False)
        yield
    for number in range(first, last + 1, STEP):
        up_to = min(last, number + STEP - 1)
        database.write(partial(_run, statements.DELETE_SPENT_IDS, (up_to,)), durable=False)
        yield
    database.write(partial(_run, statements.UPDATE_TOTAL, ()), durable=False)


def _ids_in_order(last: int, connection: Connection) -> list[str]:
    """Return the ids as JSON arrays, one for each step."""
    rows: Any = connection.execute(statements.SPENT_IDS_IN_ORDER, {"last": last, "step": STEP}).fetchall()
    return [ids for (ids,) in rows]


def _first_row(statement: str, bindings: dict[str, Any], connection: Connection) -> Any:
    return connection.execute(statement, bindings).fetchone()


def _run(statement: str, bindings: tuple[Any, ...], connection: Connection) -> None:
    connection.execute(statement, bindings)
