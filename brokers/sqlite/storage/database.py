"""A SQLite file that any number of threads and processes share.

The writes of one process gather in its `Writer` and commit together. Processes take turns by the
`ProcessLock`. Every handle is opened when first used, and opened anew after a fork.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import apsw

from ...errors import EngineError, FileLost, UnsupportedDatabase
from ...forks import abandon_in_children
from ...writer import Closed
from .connection import MALFORMED, Connection, explain
from .disk_space import DiskSpace
from .files import Loss, size_bytes, wal_of
from .filesystem import refuse_network_filesystem
from .handles import Handles, open_handles
from .open_backoff import OpenBackoff
from .operations import Change, Write
from .probe import Probe, read_through_new_connection
from .retirement import Retirement
from .schema import Schema
from .transactions import Transactions

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: How long closing waits for a commit, in seconds: the process that has the process lock may be stopped.
CLOSES_WITHIN_S = 5.0

#: How often an operation is tried whose file is found deleted or replaced: another process, which notices
#: that later, may replace the file once more.
TRIES = 3

#: All databases of this process, and the lock under which one is added or all are read.
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_listing = threading.Lock()


class Database:
    """A database file, as one component of this process uses it.

    Parameters:
      path: the file; created when missing.
      schema: the tables that the component needs.
      after_commit: called after each commit of this object.

    Attributes:
      path: the file's absolute path.
      run_directory: the directory beside it: lock files, and the entries of the consuming processes.
      disk_space: of the disk that the file lies on.

    Raises:
      UnsupportedDatabase: the path lies on a network filesystem.
    """

    #: How long a caller waits for its commit, in seconds, before it gets an error that says so.
    write_timeout_s = 10.0

    def __init__(
        self,
        path: str | Path,
        schema: Schema,
        *,
        after_commit: Callable[[], None] = lambda: None,
    ) -> None:
        if str(path) in {"", ":memory:"}:
            raise UnsupportedDatabase("A durable queue needs a file: give a path, not ':memory:'")
        self.path = Path(path).absolute()
        self.run_directory = self.path.with_name(self.path.name + "-run")
        refuse_network_filesystem(self.path)
        self.disk_space = DiskSpace(self.path.parent)
        self._schema = schema
        self._after_commit = after_commit
        self._opening = threading.Lock()
        self._backoff = OpenBackoff()
        self._retirement = Retirement(str(self.path))
        self._handles: Handles | None = None
        with _listing:
            _databases.add(self)
        abandon_in_children(self)

    def write(self, apply: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run `apply` in the next transaction; return its result once the transaction is committed.

        Parameters:
          apply: works on the connection. An error that it raises is raised here, and its changes are
            undone. `apply` runs a second time when another operation spoiled the transaction.
          durable: return only when the commit, and all commits before it, are on disk. Without it a power
            cut may undo the write; a crash of the process does not.

        Raises:
          EngineError: SQLite could not. If the disk failed to sync, the write may be done all the same.
        """
        return self.perform(Change(apply, durable=durable))

    def perform(self, operation: Write[T]) -> T:
        """Do an operation in the next transaction; return its result once the transaction is committed.

        Raises:
          EngineError: SQLite could not. If the disk failed to sync, the operation may be done all the same.
        """
        tries = TRIES
        while True:
            handles = self._handles or self._open()  # one call less for every message
            try:
                result: T = handles.writer.perform(operation, self.write_timeout_s)
            except (FileLost, Closed) as error:
                if not (tries := tries - 1) or (isinstance(error, Closed) and not handles.is_given_up):
                    raise
                operation.error = None
            else:
                return result

    async def perform_async(self, operation: Write[T]) -> T:
        """Do what `perform` does, for a coroutine."""
        tries = TRIES
        while True:
            if self._handles is None:
                await asyncio.to_thread(self._open)  # opening can take long, and the loop has other work
            try:
                return await operation.wait_async(self.submit, self.write_timeout_s)
            except FileLost:
                if not (tries := tries - 1):
                    raise
                operation.error = None

    def submit(self, operation: Write[Any]) -> None:
        """Hand an operation to the writer without waiting for it."""
        self._open().writer.submit(operation)

    def read(self, apply: Callable[[Connection], T]) -> T:
        """Run `apply` on a consistent snapshot. Keep it short: an open snapshot holds up checkpoints.

        Raises:
          EngineError: SQLite could not.
        """
        try:
            handles, connection = self._borrow_reader()
            is_fit = True
            try:
                # A savepoint, so that every statement sees the same state.
                with connection.in_use, connection:
                    result = apply(connection)
            except MALFORMED:
                is_fit = False  # what the connection has in memory may be older than the file
                raise
            finally:
                handles.put_back(connection, is_fit=is_fit)
        except (apsw.Error, OSError, UnicodeDecodeError) as error:  # the last: a text that is not UTF-8
            raise explain(self.path, error) from error
        return result

    def check(self, *, at_ms: int, timeout_s: float) -> None:
        """Prove that the file takes a durable write now, and that its tables can be read.

        Parameters:
          at_ms: the time to write, in milliseconds since the epoch.
          timeout_s: how long the write may take, in seconds.

        Raises:
          EngineError: a write or a read failed, and why.
        """
        Probe(at_ms).wait(self.submit, timeout_s)
        read_through_new_connection(self.path)

    def _borrow_reader(self) -> tuple[Handles, Connection]:
        tries = TRIES
        while True:
            handles = self._open_unless_lost()
            try:
                return handles, handles.borrow_reader(self.path)
            except FileLost:
                if not (tries := tries - 1):
                    raise

    def file_bytes(self) -> int:
        """Return the size of the file; 0 while there is none."""
        return size_bytes(self.path)

    def wal_bytes(self) -> int:
        """Return the size of the write-ahead log; 0 while there is none."""
        return size_bytes(wal_of(self.path))

    def close(self) -> None:
        """Commit the submitted operations, and close the file. The next use opens it again."""
        with self._opening:
            handles, self._handles = self._handles, None
        try:
            self._retirement.wait()  # a rescue of messages that only this process can read may be going on
        except EngineError as error:
            logger.warning("Closing %s without waiting any longer: %s", self.path, error)
        if handles is not None:
            if not handles.writer.close(CLOSES_WITHIN_S):
                logger.warning(
                    "%s stays open until this process ends: another process keeps it to itself", self.path
                )
                return
            handles.transactions.close()
            for reader in handles.readers:
                reader.close()

    def abandon(self) -> None:
        """Forget the parent's handles in a forked child; each handle closes what the child inherited."""
        self._opening = threading.Lock()
        self._backoff = OpenBackoff()
        self._retirement = Retirement(str(self.path))
        self._handles = None

    # -- opening -----------------------------------------------------------------------------------

    def _open(self) -> Handles:
        handles = self._handles
        if handles is not None:
            return handles
        while True:
            for each in _of_the_same_file(self):
                each._retirement.wait()  # without the lock: a retirement may need it
            with self._opening:
                if self._handles is None and self._retirement.is_going_on:
                    continue
                if self._handles is None:
                    self._handles = self._open_anew()
                return self._handles

    def _open_unless_lost(self) -> Handles:
        handles = self._open()
        loss = handles.transactions.files.lost()
        if loss is None:
            return handles
        self._forget(handles.transactions, loss)
        return self._open()

    def _open_anew(self) -> Handles:
        self._backoff.refuse_if_too_soon()
        try:
            handles = open_handles(
                self.path,
                self.run_directory,
                self._schema,
                self.disk_space,
                lost=self._retirement.lost,
                timeout_s=self.write_timeout_s,
                after_commit=self._after_commit,
                on_lost=self._forget,
            )
        except EngineError as error:
            self._backoff.failed(error)
            raise
        except (apsw.Error, OSError) as error:
            raise self._backoff.failed(explain(self.path, error)) from error
        self._backoff.succeeded()
        while self._retirement.unwritten:
            handles.writer.submit(self._retirement.unwritten.pop())
        return handles

    def _forget(self, transactions: Transactions, loss: Loss) -> None:
        """Give handles up whose files are lost. The next use opens the files that lie there now."""
        with self._opening:
            handles = self._handles
            if handles is None or handles.transactions is not transactions:
                return
            self._handles = None
            self._retirement.start(handles, loss, transactions.files.opened)
        for each in _of_the_same_file(self):
            each._forget_if_lost()

    def _forget_if_lost(self) -> None:
        handles = self._handles
        if handles is not None and (loss := handles.transactions.files.lost()) is not None:
            self._forget(handles.transactions, loss)


def _of_the_same_file(database: Database) -> list[Database]:
    """Return this process's databases with the same file.

    SQLite has one index of the log for all their connections. So they are lost together, and none of them
    is opened anew before the last is closed.
    """
    with _listing:
        return [each for each in _databases if each.path == database.path]
