"""Making transactions of what waits."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import apsw

from .connection import explain
from .gate import Gate
from .glance import Glances
from .write import Apply, Write, in_one_statement, in_order
from .write_ahead_log import WriteAheadLog

logger = logging.getLogger(__name__)


class Commits:
    """The one connection by which a process writes. For one thread at a time.

    Parameters:
      path: the database file.
      connection, gate, log: its own from now on.
      before_commit: called in each transaction when all is done but the commit itself.
      on_lost: called when the file is not the one that was opened.
    """

    def __init__(
        self,
        path: Path,
        connection: apsw.Connection,
        gate: Gate,
        log: WriteAheadLog,
        *,
        before_commit: Callable[[], None],
        on_lost: Callable[[Commits], None],
    ) -> None:
        self._path = path
        self._connection = connection
        self._gate = gate
        self._log = log
        self._before_commit = before_commit
        self._on_lost = on_lost
        self._glances = Glances(path)
        self._inode = self._glances.inode()
        self._durable = True

    def commit(self, batch: list[Write[Any]]) -> None:
        """Commit a batch as one transaction. Never raises: each operation learns of its own failure."""
        with self._gate:
            # Looked at only now: it may have taken long to get through the gate.
            batch = [operation for operation in batch if not operation.abandoned]
            outcome = self._attempt(batch) if batch else "done"
        self._log.after_commit(self._connection)
        if outcome == "spoiled" and len(batch) > 1:
            # One operation spoiled it for all: let only that one fail.
            for operation in batch:
                operation.error = None
                self.commit([operation])

    def try_commit(self, operation: Write[Any]) -> bool:
        """Commit one operation if no other process is at the gate, or will be for long."""
        if not self._gate.try_enter(spin_s=operation.spin_s):
            return False
        try:
            self._attempt([operation])
        finally:
            self._gate.leave()
        self._log.after_commit(self._connection)
        return True

    def close(self) -> None:
        """Nothing is being committed, and nothing will be."""
        self._log.close()
        self._connection.close()
        self._gate.close()

    # -- inside the gate -----------------------------------------------------------------------------

    def _attempt(self, batch: list[Write[Any]]) -> Literal["done", "spoiled", "failed"]:
        """One transaction. Failed is the engine, and all are told."""
        try:
            return "done" if self._transact(batch) else "spoiled"
        except (apsw.Error, OSError) as error:
            for operation in batch:
                operation.error = explain(self._path, error)
            return "failed"

    def _transact(self, batch: list[Write[Any]]) -> bool:
        """Returns False, with everything rolled back, when an operation raised."""
        connection = self._connection
        durable = any([operation.durable for operation in batch])  # noqa: C419  in a list: faster for few
        if durable:
            self._refuse_a_lost_file()
        self._be_durable(durable)
        if (whole := in_one_statement(batch)) is not None:
            self._announce()
            return self._tried(batch, whole)
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._tried(batch, in_order(batch)):
                return False
            self._announce()
            connection.execute("COMMIT")
            return True
        finally:
            if not connection.get_autocommit():
                connection.execute("ROLLBACK")

    def _be_durable(self, durable: bool) -> None:
        """FULL syncs the WAL at each commit; NORMAL leaves that to the next FULL one or the checkpoint."""
        if durable != self._durable:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable

    def _refuse_a_lost_file(self) -> None:
        """A file that was deleted can still be written to, and what is written is gone with the process."""
        with suppress(FileNotFoundError):
            if self._glances.inode() == self._inode:
                return
        self._on_lost(self)
        raise FileNotFoundError("the file was deleted or replaced while it was open")

    def _tried(self, batch: list[Write[Any]], apply: Apply) -> bool:
        """Whether this succeeded. If not, the operation whose fault it is, or else each, is told."""
        try:
            apply(self._connection)
        except Exception as error:  # noqa: BLE001  whatever it is, it is its caller's to see
            explained = explain(self._path, error) if isinstance(error, apsw.Error) else error
            guilty = [operation for operation in batch if operation.error is not None]
            for operation in guilty or batch:
                operation.error = explained
            return False
        return True

    def _announce(self) -> None:
        try:
            self._before_commit()
        except Exception:  # it is a hint, and no commit has to fail for it
            logger.exception("Could not do what goes before a commit")
