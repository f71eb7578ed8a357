"""Taking the next messages of a queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import apsw

from . import statements
from .connection import Connection
from .damage import set_aside_damaged_head
from .write import Write

#: How many delayed messages one claim makes ready at most.
PROMOTE_LIMIT = 500


class Taken(NamedTuple):
    """What a claim took, as it came from the database: taking it apart is not the writer's work.

    Attributes:
      heads: a JSON array; of each message what its row says, and how long its payload is.
      payloads: end to end.
      next_due_at: when the queue's next delayed message is due. None: there is none.
      is_all: it is known that nothing was left.
      at: when they were taken, by the engine's clock.
    """

    heads: str
    payloads: bytes
    next_due_at: int | None
    is_all: bool
    at: int

    def messages(self) -> Iterator[tuple[Sequence[Any], bytes | None]]:
        """The head of each message, and its payload; None for one that lies beside its row."""
        begin = 0
        for *head, length in json.loads(self.heads):
            if length is None:
                yield head, None
            else:
                yield head, self.payloads[begin : begin + length]
                begin += length


class Claim(Write[Taken]):
    """As many messages as may be taken.

    Parameters:
      queue: the queue.
      limit: how many at most.
      owner: the process.
      token: proves whose deliveries these are.
      clock: milliseconds since the epoch.
    """

    def __init__(self, queue: str, limit: int, *, owner: int, token: int, clock: Callable[[], int]) -> None:
        super().__init__(durable=False)
        self._clock = clock
        self._queue = queue
        self._wanted = {"queue": queue, "limit": limit}
        self._holder = {"owner": owner, "token": token}

    def apply(self, connection: Connection) -> Taken:
        now = self._clock()
        try:
            heads, payloads, next_due_at = self._next_ready(connection)
        except (apsw.SQLError, UnicodeDecodeError):  # a row that cannot be made JSON or text
            if not set_aside_damaged_head(connection, self._queue, now):
                raise
            heads, payloads, next_due_at = self._next_ready(connection)
        if _is_time(next_due_at) and next_due_at <= now:
            connection.execute(statements.PROMOTE, {**self._wanted, "now": now, "limit": PROMOTE_LIMIT})
            heads, payloads, next_due_at = self._next_ready(connection)
        if heads != "[]":
            connection.execute(statements.CLAIM, {**self._holder, "heads": heads})
        next_due_at = int(next_due_at) if _is_time(next_due_at) else None
        return Taken(heads, payloads or b"", next_due_at, is_all=False, at=now)

    def _next_ready(self, connection: Connection) -> Any:
        return connection.execute(statements.NEXT_READY, self._wanted).fetchone()


def _is_time(value: object) -> bool:
    """Whether there is one, and no damaged row gave it."""
    return isinstance(value, int | float)


class ClaimOfOne(Claim):
    """The very next message, in a single statement: whoever waits for work waits for less.

    It takes none when a delayed message is due, which may have to go first.
    """

    is_one_statement = True

    def apply(self, connection: Connection) -> Taken:
        now = self._clock()
        bindings = {**self._wanted, **self._holder, "now": now}
        try:
            row: Any = connection.execute(statements.CLAIM_ONE, bindings).fetchall()
        except (apsw.SQLError, UnicodeDecodeError):  # as above, and the claim after this one sees to it
            connection.execute(statements.UNCLAIM, (self._holder["owner"], self._holder["token"]))
            row = []
        if not row:
            return Taken("[]", b"", None, is_all=False, at=now)
        [(head, payload, is_last)] = row
        return Taken(f"[{head}]", payload or b"", None, is_all=bool(is_last), at=now)
