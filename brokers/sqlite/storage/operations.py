"""The operations that transactions are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

from ...writer import Operation
from .connection import Connection

T = TypeVar("T")


class Write(Operation[T]):
    """An operation that is done within the next transaction.

    Attributes:
      is_one_statement: whether `apply` runs a single statement, and reads its result to the end. Such a
        statement is a transaction of its own, without BEGIN and COMMIT: two statements less, and in a
        process with many busy threads each statement costs a fight for the GIL.
      is_checked_later: whether an operation that follows from this one looks whether the database's files are
        still there. Then this one need not: it would only be slower.
    """

    is_one_statement = False
    is_checked_later = False

    def apply(self, connection: Connection) -> T:
        """Do the operation.

        `apply` runs twice when the first try was rolled back, so it leaves no trace outside the database.
        """
        raise NotImplementedError

    @classmethod
    def are_one_statement(cls, operations: Sequence[Any]) -> bool:  # noqa: ARG003
        """Return whether `apply_all` does these operations in one statement."""
        return False

    @classmethod
    def apply_all(cls, connection: Connection, operations: Sequence[Any]) -> None:
        """Do one or several operations of this kind, in order.

        A kind that can do many in fewer statements overrides this.

        Raises:
          Exception: what an operation raised, which is also the operation's `error`.
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
      apply: does the operation, given the connection; may run twice, like `Write.apply`.
      durable, lazy: as of any operation.
    """

    def __init__(self, apply: Callable[[Connection], T], *, durable: bool = True, lazy: bool = False) -> None:
        super().__init__(durable=durable, lazy=lazy)
        self._apply = apply

    def apply(self, connection: Connection) -> T:
        return self._apply(connection)


def are_one_statement(batch: Sequence[Write[Any]]) -> bool:
    """Return whether `apply_all` does a batch in one statement."""
    if len(batch) == 1:
        return batch[0].is_one_statement
    kind = type(batch[0])
    for operation in batch:
        if type(operation) is not kind:
            return False
    return kind.are_one_statement(batch)


def apply_all(connection: Connection, batch: Sequence[Write[Any]]) -> None:
    """Do a batch in order: neighbours of one kind together, a single operation by its `apply`.

    Raises:
      Exception: what an operation raised. In a batch of several it is also the operation's `error`, where
        it is known which operation raised it.
    """
    if len(batch) == 1:
        batch[0].result = batch[0].apply(connection)
        return
    for kind, alike in groupby(batch, key=_kind):
        kind.apply_all(connection, list(alike))


def _kind(operation: Write[Any]) -> type[Write[Any]]:
    return type(operation)
