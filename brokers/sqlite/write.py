"""What a transaction is made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import apsw

from ..writer import Operation

T = TypeVar("T")


class Write(Operation[T]):
    """Something to be done within the next transaction.

    Parameters:
      apply: does it, given the connection. It may run twice, when the first try was rolled back, so it
        must leave no trace outside the database.
      durable: the commit must be on disk before this operation counts as done.
      lazy: nobody waits; it may be kept a few milliseconds for company.
    """

    __slots__ = ("apply",)

    def __init__(
        self, apply: Callable[[apsw.Connection], T], *, durable: bool = True, lazy: bool = False
    ) -> None:
        super().__init__(durable=durable, lazy=lazy)
        self.apply = apply

    @classmethod
    def in_one_statement(cls, operations: Sequence[Write[Any]]) -> Callable[[apsw.Connection], None] | None:  # noqa: ARG003
        """What does all of these in one statement, which then is the transaction; None: it takes more.

        Begin and commit are two statements more, and in a process with many busy threads each statement costs
        a fight for the GIL.
        """
        return None

    @classmethod
    def apply_all(cls, connection: apsw.Connection, operations: Sequence[Write[Any]]) -> None:
        """Do several of this kind, in order. What one of them raises is its `error`, and raised.

        Where a kind can do many in fewer statements, it does.
        """
        for operation in operations:
            try:
                operation.result = operation.apply(connection)
            except Exception as error:
                operation.error = error
                raise


Kind = type[Write[Any]]


def by_kind(batch: Sequence[Write[Any]]) -> list[tuple[Kind, list[Write[Any]]]]:
    """The operations of a batch, in order, those of one kind that follow each other together."""
    return [(kind, list(alike)) for kind, alike in groupby(batch, key=type)]
