"""One SQLite file, shared by any number of threads and processes.

Writes of one process gather in its `Writer` and commit together; processes take turns at the `Gate`.
Everything is opened when first used, and opened anew after a fork.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import apsw

from ..errors import EngineError, UnsupportedDatabase
from ..forks import abandon_in_children
from ..writer import Writer
from .commits import Commits
from .connection import MALFORMED, Connection, connect, explain
from .filesystem import refuse_network_filesystem
from .gate import Gate
from .log_sync import LogSync
from .probe import Probe, read_anew
from .schema import Schema
from .space import give_back
from .write import Change, Write
from .write_ahead_log import PAGE_BYTES, WriteAheadLog, excess_bytes, path_of_log, size_of

T = TypeVar("T")

#: How long a caller waits for its commit, in seconds, before it is told that the database is stuck.
WRITE_TIMEOUT_S = 10.0

#: Handles of files that were deleted or replaced: neither used nor closed, only kept from being collected.
_lost: list[Any] = []


class Database:
    """A database file and this process's way into it.

    Parameters:
      path: the file; created when missing.
      schema: the tables this user of the file needs.
      after_commit: called after each commit of this process.

    Raises:
      UnsupportedDatabase: the path lies on a network filesystem.
    """

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
        self._schema = schema
        self._after_commit = after_commit
        self._opening = threading.Lock()
        self._handles: _Handles | None = None
        abandon_in_children(self)

    def write(self, apply: Callable[[Connection], T], *, durable: bool = True) -> T:
        """Run `apply` in the next transaction; return its result once that is committed.

        Parameters:
          apply: works on the connection. What it raises is raised here, and its changes are undone; it
            may be run a second time when another operation spoiled the transaction.
          durable: return only when the commit, and all before it, is on disk. Without it a power cut may
            undo the write, a crash of the process does not.

        Raises:
          EngineError: as of `perform`.
        """
        return self.perform(Change(apply, durable=durable))

    def perform(self, operation: Write[T]) -> T:
        """Have an operation done in the next transaction; return its result once that is committed.

        Raises:
          EngineError: SQLite could not. If it is the disk that fails to sync, it may be done all the same.
        """
        handles = self._handles or self._open()  # a call less on the way of every message
        result: T = handles.writer.perform(operation, WRITE_TIMEOUT_S)
        return result

    async def perform_async(self, operation: Write[T]) -> T:
        """`perform` for an event loop."""
        return await operation.wait_async(self.submit, WRITE_TIMEOUT_S)

    def submit(self, operation: Write[Any]) -> None:
        """Hand an operation to the writer without waiting for it."""
        self._open().writer.submit(operation)

    def read(self, apply: Callable[[Connection], T]) -> T:
        """Run `apply` on a consistent snapshot. Keep it short: an open snapshot holds up checkpoints.

        Raises:
          EngineError: SQLite could not.
        """
        handles = self._open()
        try:
            connection = handles.spare_reader() or connect(self.path, read_only=True)
            try:
                # A savepoint, so that every statement sees the same state.
                with connection.in_use, connection:
                    result = apply(connection)
            except MALFORMED:
                connection.release_memory()  # of what it has read: the file may be put right meanwhile
                raise
            finally:
                handles.readers.append(connection)
        except (apsw.Error, UnicodeDecodeError) as error:  # the second: a text that is none
            raise explain(self.path, error) from error
        return result

    def check(self, *, at_ms: int, timeout_s: float) -> None:
        """Prove that the file takes a durable write now, and that what it holds can be read.

        Parameters:
          at_ms: the time, which is what is written, in milliseconds since the epoch.
          timeout_s: how long the write may take, in seconds.

        Raises:
          EngineError: it does not, and why.
        """
        Probe(at_ms).wait(self.submit, timeout_s)
        read_anew(self.path)

    def give_back_spare_space(self, threshold_bytes: int) -> Iterator[None]:
        """Return free pages to the disk, and a long log's, step by step: others may write in between.

        Parameters:
          threshold_bytes: do nothing while less than this could be given back.

        Raises:
          EngineError: SQLite could not.
        """
        free_pages = self.read(lambda c: c.pragma("freelist_count"))
        if max(excess_bytes(path_of_log(self.path)), free_pages * PAGE_BYTES) < threshold_bytes:
            return
        try:
            with closing(Gate(self.run_directory)) as gate, closing(connect(self.path)) as connection:
                yield from give_back(connection, gate)
        except apsw.BusyError:
            return  # a reader is at it; the next round will do
        except apsw.Error as error:
            raise explain(self.path, error) from error

    def file_bytes(self) -> int:
        """Size of the file; 0 while there is none."""
        return size_of(self.path)

    def wal_bytes(self) -> int:
        """Size of the write-ahead log; 0 while there is none."""
        return size_of(path_of_log(self.path))

    def close(self) -> None:
        """Commit what was submitted, and close. The next use opens it again."""
        with self._opening:
            handles, self._handles = self._handles, None
        if handles is not None:
            handles.writer.close()
            handles.commits.close()
            for reader in handles.readers:
                reader.close()

    def abandon(self) -> None:
        """In a forked child: forget the parent's handles, which abandon what they inherited themselves."""
        self._opening = threading.Lock()
        self._handles = None

    # -- opening -----------------------------------------------------------------------------------

    def _open(self) -> _Handles:
        handles = self._handles
        if handles is not None:
            return handles
        with self._opening:
            if self._handles is None:
                try:
                    self._handles = self._prepare()
                except apsw.Error as error:
                    raise explain(self.path, error) from error
                except OSError as error:
                    raise EngineError(f"Cannot open the queue at {self.path}: {error}") from error
            return self._handles

    def _prepare(self) -> _Handles:
        self.run_directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as on_failure:
            gate = on_failure.enter_context(closing(Gate(self.run_directory)))
            connection = on_failure.enter_context(closing(connect(self.path, create=True)))
            # Two processes that create the file together would find it locked.
            gate.enter_within(WRITE_TIMEOUT_S)
            try:
                with connection.in_use:
                    connection.pragma("auto_vacuum", "INCREMENTAL")  # must come before the first table
                    connection.pragma("journal_mode", "WAL")
                    with connection:
                        self._schema.bring_up_to_date(connection, path=str(self.path))
                    # What a statement has changed so far, should it fail halfway: beyond 15 pages it would be
                    # a file. Not before: a migration sorts all there is.
                    connection.pragma("temp_store", "MEMORY")
            finally:
                gate.leave()
            commits = Commits(
                self.path,
                connection,
                gate,
                on_failure.enter_context(closing(LogSync(path_of_log(self.path), connection))),
                WriteAheadLog(self.path, partial(connect, self.path), self.run_directory),
                after_commit=self._after_commit,
                on_lost=self._forget,
            )
            on_failure.pop_all()
        name = f"recado-writer({self.path.name})"
        return _Handles(commits, Writer(commits.commit, try_commit=commits.try_commit, name=name), [])

    def _forget(self, commits: Commits) -> None:
        """The file is not the one we opened: open what is there now when it is next needed."""
        with self._opening:
            if self._handles is not None and self._handles.commits is commits:
                _lost.append(self._handles)
                self._handles = None


@dataclass(frozen=True, slots=True)
class _Handles:
    """What one process has open."""

    commits: Commits
    writer: Writer[Write[Any]]
    readers: list[Connection]

    def spare_reader(self) -> Connection | None:
        with suppress(IndexError):  # list.pop is atomic; a look before it would not be
            return self.readers.pop()
        return None
