"""What a transaction is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

from ..writer import Operation
from .connection import Connection

T = TypeVar("T")


class Write(Operation[T]):
    """Something to be done within the next transaction.

    Attributes:
      is_one_statement: whether `apply` is just that, and reads it to its end. Then it is the transaction, and
        needs no begin and no commit: two statements more, and in a process with many busy threads each costs
        a fight for the GIL.
    """

    is_one_statement = False

    def apply(self, connection: Connection) -> T:
        """Do it. It may be done twice, when the first try was rolled back: no trace outside the database."""
        raise NotImplementedError

    @classmethod
    def are_one_statement(cls, operations: Sequence[Any]) -> bool:  # noqa: ARG003
        """Whether `apply_all` does these several in one statement."""
        return False

    @classmethod
    def apply_all(cls, connection: Connection, operations: Sequence[Any]) -> None:
        """Do one or several of this kind, in order. What one of them raises is its `error`, and raised.

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

    def __init__(self, apply: Callable[[Connection], T], *, durable: bool = True, lazy: bool = False) -> None:
        super().__init__(durable=durable, lazy=lazy)
        self._apply = apply

    def apply(self, connection: Connection) -> T:
        return self._apply(connection)


def are_one_statement(batch: Sequence[Write[Any]]) -> bool:
    """Whether `apply_all` does a batch in one statement."""
    if len(batch) == 1:
        return batch[0].is_one_statement
    kind = type(batch[0])
    for operation in batch:
        if type(operation) is not kind:
            return False
    return kind.are_one_statement(batch)


def apply_all(connection: Connection, batch: Sequence[Write[Any]]) -> None:
    """Do a batch in order, those of one kind that follow each other together; a single one by its `apply`.

    Raises what one of them raises. Where it is one of several, and known which, it is its `error` too.
    """
    if len(batch) == 1:
        batch[0].result = batch[0].apply(connection)
        return
    for kind, alike in groupby(batch, key=_kind):
        kind.apply_all(connection, list(alike))


def _kind(operation: Write[Any]) -> type[Write[Any]]:
    return type(operation)
