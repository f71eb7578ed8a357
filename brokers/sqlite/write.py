"""What a transaction is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import apsw

from ..writer import Operation

T = TypeVar("T")

#: Works on the connection that writes.
Apply = Callable[[apsw.Connection], Any]


class Write(Operation[T]):
    """Something to be done within the next transaction."""

    def apply(self, connection: apsw.Connection) -> T:
        """Do it. It may be done twice, when the first try was rolled back: no trace outside the database."""
        raise NotImplementedError

    @classmethod
    def in_one_statement(cls, operations: Sequence[Any]) -> Apply | None:  # noqa: ARG003
        """What does all of these in one statement, which then is the transaction; None: it takes more.

        Begin and commit are two statements more, and in a process with many busy threads each statement costs
        a fight for the GIL.
        """
        return None

    @classmethod
    def apply_all(cls, connection: apsw.Connection, operations: Sequence[Any]) -> None:
        """Do several of this kind, in order. What one of them raises is its `error`, and raised.

        Where a kind can do many in fewer statements, it does.
        """
        for operation in operations:
            try:
                operation.result = operation.apply(connection)
            except Exception as error:
                operation.error = error
                raise


class Change(Write[T]):
    """A write that is a function.

    Parameters:
      apply: does it, given the connection. It may run twice, as above.
      durable, lazy: as of any operation.
    """

    def __init__(
        self, apply: Callable[[apsw.Connection], T], *, durable: bool = True, lazy: bool = False
    ) -> None:
        super().__init__(durable=durable, lazy=lazy)
        self._apply = apply

    def apply(self, connection: apsw.Connection) -> T:
        return self._apply(connection)


def in_one_statement(batch: Sequence[Write[Any]]) -> Apply | None:
    """What does a whole batch in one statement; None: it takes more."""
    kind = type(batch[0])
    for operation in batch:
        if type(operation) is not kind:
            return None
    return kind.in_one_statement(batch)


def in_order(batch: Sequence[Write[Any]]) -> Apply:
    """What does a batch as few statements as may be, those of one kind that follow each other together."""

    def apply(connection: apsw.Connection) -> None:
        for kind, alike in groupby(batch, key=_kind):
            kind.apply_all(connection, list(alike))

    return apply


def _kind(operation: Write[Any]) -> type[Write[Any]]:
    return type(operation)
