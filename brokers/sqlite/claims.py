"""Claims the next messages of a queue."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import apsw

from . import statements
from .damaged_rows import set_damaged_head_aside
from .storage.connection import Connection
from .storage.operations import Write

#: How many delayed messages one claim makes ready at most.
PROMOTE_LIMIT = 500


class Claimed(NamedTuple):
    """The messages of a claim, as they came from the database: the writer's thread does not decode them.

    Attributes:
      heads: a JSON array with the fields of each message, and the length of its payload in bytes.
      payloads: end to end.
      next_due_at: when the queue's next delayed message is due, in milliseconds since the epoch; None
        without one.
      is_last: whether it is known that the queue has no other ready message.
      at: when they were claimed, by the engine's clock.
    """

    heads: str
    payloads: bytes
    next_due_at: int | None
    is_last: bool
    at: int

    def messages(self) -> Iterator[tuple[Sequence[Any], bytes | None]]:
        """Iterate over the fields of each message, and its payload; None for one that lies beside its row."""
        begin = 0
        for *head, length in json.loads(self.heads):
            if length is None:
                yield head, None
            else:
                yield head, self.payloads[begin : begin + length]
                begin += length


class Claim(Write[Claimed]):
    """Claims up to so many messages.

    Parameters:
      queue: the queue.
      limit: how many messages at most.
      owner: this process, in the process registry.
      token: the fencing token of these deliveries.
      clock: milliseconds since the epoch.
    """

    def __init__(self, queue: str, limit: int, *, owner: int, token: int, clock: Callable[[], int]) -> None:
        super().__init__(durable=False)
        self._clock = clock
        self._queue = queue
        self._wanted = {"queue": queue, "limit": limit}
        self._holder = {"owner": owner, "token": token}

    def apply(self, connection: Connection) -> Claimed:
        now = self._clock()
        try:
            heads, payloads, next_due_at = self._next_ready(connection)
        except (apsw.SQLError, UnicodeDecodeError):  # a row that cannot be made JSON or text
            if not set_damaged_head_aside(connection, self._queue, now):
                raise
            heads, payloads, next_due_at = self._next_ready(connection)
        if _is_time(next_due_at) and next_due_at <= now:
            connection.execute(statements.PROMOTE, {**self._wanted, "now": now, "limit": PROMOTE_LIMIT})
            heads, payloads, next_due_at = self._next_ready(connection)
        if heads != "[]":
            connection.execute(statements.CLAIM, {**self._holder, "heads": heads})
        next_due_at = int(next_due_at) if _is_time(next_due_at) else None
        return Claimed(heads, payloads or b"", next_due_at, is_last=False, at=now)

    def _next_ready(self, connection: Connection) -> Any:
        return connection.execute(statements.NEXT_READY, self._wanted).fetchone()


def _is_time(value: object) -> bool:
    """Return whether there is a time, and not the value of a damaged row."""
    return isinstance(value, int | float)


class ClaimOfOne(Claim):
    """Claims the very next message in a single statement, so that a waiting consumer gets it sooner.

    It claims none while a delayed message is due, which may have to go first.
    """

    is_one_statement = True
    is_checked_later = True  # with the message's acknowledgement, or by the `Claim` that follows

    def apply(self, connection: Connection) -> Claimed:
        now = self._clock()
        bindings = {**self._wanted, **self._holder, "now": now}
        try:
            row: Any = connection.execute(statements.CLAIM_ONE, bindings).fetchall()
        except (apsw.SQLError, UnicodeDecodeError):  # a damaged row: the `Claim` that follows sets it aside
            connection.execute(statements.RELEASE_CLAIM, (self._holder["owner"], self._holder["token"]))
            row = []
        if not row:
            return Claimed("[]", b"", None, is_last=False, at=now)
        [(head, payload, is_last)] = row
        return Claimed(f"[{head}]", payload or b"", None, is_last=bool(is_last), at=now)
