"""One SQLite file, shared by any number of threads and processes.

Writes of one process gather in its `Writer` and commit together; processes take turns at the `Gate`.
Everything is opened when first used, and opened anew after a fork.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import apsw

from ..errors import EngineError, FileLost, UnsupportedDatabase
from ..forks import abandon_in_children
from ..writer import Closed, Writer
from .attempts import Attempts
from .commits import Commits, Rescue
from .connection import MALFORMED, Connection, connect, explain
from .files import Files, Loss, note_log
from .filesystem import refuse_network_filesystem
from .gate import Gate
from .log_sync import LogSync
from .modes import make_database, make_run_directory
from .probe import Probe, read_anew
from .retirement import Retirement
from .room import Room
from .schema import Schema
from .space import give_back
from .stale_log import set_stale_log_aside
from .write import Change, Write
from .write_ahead_log import PAGE_BYTES, WriteAheadLog, excess_bytes, path_of_log, size_of

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: How long a caller waits for its commit, in seconds, before it is told that the database is stuck.
WRITE_TIMEOUT_S = 10.0

#: How long closing waits for a commit, in seconds: the process that has its turn may be stopped.
CLOSES_WITHIN_S = 5.0

#: How often an operation is tried whose file is found deleted or replaced: another process, which finds that
#: later, may replace it once more.
TRIES = 3

#: All of this process, and the lock under which one is added or all are looked at.
_databases: weakref.WeakSet[Database] = weakref.WeakSet()
_listing = threading.Lock()


class Database:
    """A database file and this process's way into it.

    Parameters:
      path: the file; created when missing.
      schema: the tables this user of the file needs.
      after_commit: called after each commit of this process.

    Attributes:
      room: of the disk it lies on.

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
        self.room = Room(self.path.parent)
        self._schema = schema
        self._after_commit = after_commit
        self._opening = threading.Lock()
        self._attempts = Attempts()
        self._retirement = Retirement(str(self.path))
        self._handles: _Handles | None = None
        with _listing:
            _databases.add(self)
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
        tries = TRIES
        while True:
            handles = self._handles or self._open()  # a call less on the way of every message
            try:
                result: T = handles.writer.perform(operation, WRITE_TIMEOUT_S)
            except (FileLost, Closed) as error:
                if not (tries := tries - 1) or (isinstance(error, Closed) and not handles.is_retired):
                    raise
                operation.error = None
            else:
                return result

    async def perform_async(self, operation: Write[T]) -> T:
        """`perform` for an event loop."""
        tries = TRIES
        while True:
            if self._handles is None:
                await asyncio.to_thread(self._open)  # which may take a while, and the loop has more to do
            try:
                return await operation.wait_async(self.submit, WRITE_TIMEOUT_S)
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
        except (apsw.Error, OSError, UnicodeDecodeError) as error:  # the last: a text that is none
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

    def _borrow_reader(self) -> tuple[_Handles, Connection]:
        tries = TRIES
        while True:
            handles = self._open_unless_lost()
            try:
                return handles, handles.borrow_reader(self.path)
            except FileLost:
                if not (tries := tries - 1):
                    raise

    def give_back_spare_space(self, threshold_bytes: int) -> Iterator[None]:
        """Return free pages to the disk, and a long log's, step by step: others may write in between.

        Parameters:
          threshold_bytes: do nothing while less than this could be given back.

        Raises:
          EngineError: SQLite could not.
        """
        if is_short := self.room.is_short():
            threshold_bytes //= 10
        free_pages = self.read(lambda c: c.pragma("freelist_count"))
        if max(excess_bytes(path_of_log(self.path)), free_pages * PAGE_BYTES) < threshold_bytes:
            return
        try:
            with closing(Gate(self.run_directory)) as gate, closing(connect(self.path)) as connection:
                yield from give_back(connection, gate, in_small_steps=is_short)
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
        try:
            self._retirement.wait()  # it may just be rescuing what only this process can read
        except EngineError as error:
            logger.warning("Closing without waiting any longer: %s", error)
        if handles is not None:
            if not handles.writer.close(CLOSES_WITHIN_S):
                logger.warning("%s is left open: another process keeps it to itself", self.path)
                return
            handles.commits.close()
            for reader in handles.readers:
                reader.close()

    def abandon(self) -> None:
        """In a forked child: forget the parent's handles, which abandon what they inherited themselves."""
        self._opening = threading.Lock()
        self._attempts = Attempts()
        self._retirement = Retirement(str(self.path))
        self._handles = None

    # -- opening -----------------------------------------------------------------------------------

    def _open(self) -> _Handles:
        handles = self._handles
        if handles is not None:
            return handles
        while True:
            for each in _of_the_same_file(self):
                each._retirement.wait()  # before the lock, which what is being retired may need
            with self._opening:
                if self._handles is None and self._retirement.is_going_on:
                    continue
                if self._handles is None:
                    self._handles = self._attempt()
                return self._handles

    def _open_unless_lost(self) -> _Handles:
        handles = self._open()
        loss = handles.commits.files.lost()
        if loss is None:
            return handles
        self._forget(handles.commits, loss)
        return self._open()

    def _attempt(self) -> _Handles:
        self._attempts.refuse_if_too_soon()
        try:
            handles = self._prepare()
        except EngineError as error:
            self._attempts.failed(error)
            raise
        except (apsw.Error, OSError) as error:
            raise self._attempts.failed(explain(self.path, error)) from error
        self._attempts.succeeded()
        while self._retirement.owed:
            handles.writer.submit(self._retirement.owed.pop())
        return handles

    def _prepare(self) -> _Handles:
        make_run_directory(self.run_directory, self.path)
        with ExitStack() as on_failure:
            gate = on_failure.enter_context(closing(Gate(self.run_directory)))
            # Two processes that create the file together would find it locked.
            gate.enter_within(WRITE_TIMEOUT_S)
            try:
                set_stale_log_aside(self.path, self._retirement.lost)
                make_database(self.path)
                connection = on_failure.enter_context(closing(connect(self.path, create=True)))
                with connection.in_use:
                    connection.pragma("auto_vacuum", "INCREMENTAL")  # must come before the first table
                    connection.pragma("journal_mode", "WAL")
                    with connection:
                        self._schema.bring_up_to_date(connection, path=str(self.path))
                    # What a statement has changed so far, should it fail halfway: beyond 15 pages it would be
                    # a file. Not before: a migration sorts all there is.
                    connection.pragma("temp_store", "MEMORY")
                files = Files(self.path)
                note_log(self.run_directory, files.opened.log)
            finally:
                gate.leave()
            commits = Commits(
                self.path,
                connection,
                gate,
                on_failure.enter_context(closing(LogSync(path_of_log(self.path), connection))),
                WriteAheadLog(self.path, partial(connect, self.path), self.run_directory, self.room),
                files=files,
                run_directory=self.run_directory,
                after_commit=self._after_commit,
                on_lost=self._forget,
            )
            on_failure.pop_all()
        name = f"recado-writer({self.path.name})"
        return _Handles(commits, Writer(commits.commit, try_commit=commits.try_commit, name=name))

    def _forget(self, commits: Commits, loss: Loss) -> None:
        """The files are not the ones we opened: open what is there now when it is next needed."""
        with self._opening:
            handles = self._handles
            if handles is None or handles.commits is not commits:
                return
            self._handles = None
            self._retirement.begin(handles, loss, commits.files.opened)
        for each in _of_the_same_file(self):
            each._forget_if_lost()

    def _forget_if_lost(self) -> None:
        handles = self._handles
        if handles is not None and (loss := handles.commits.files.lost()) is not None:
            self._forget(handles.commits, loss)


def _of_the_same_file(database: Database) -> list[Database]:
    """All in this process. SQLite has one index of the log for all their connections, so they are lost
    together, and none is opened anew before the last is closed."""
    with _listing:
        return [each for each in _databases if each.path == database.path]


@dataclass(frozen=True, slots=True)
class _Handles:
    """What one process has open.

    Attributes:
      readers: the connections to read with that are not in use.
      reading: one element for each connection that is, or is just being opened.
      retired: not empty once they are being closed.
    """

    commits: Commits
    writer: Writer[Write[Any]]
    readers: list[Connection] = field(default_factory=list)
    reading: list[None] = field(default_factory=list)
    retired: list[None] = field(default_factory=list)

    @property
    def is_retired(self) -> bool:
        """Whether they are given up because the file was lost."""
        return self.commits.is_given_up

    def borrow_reader(self, path: Path) -> Connection:
        """A connection to read with, for one thread, until it is put back."""
        self.reading.append(None)  # first: `take_readers` must not miss it
        if self.retired:
            self.reading.pop()
            raise FileLost(f"{path} is just being opened anew")
        try:
            return self.readers.pop()  # list.pop is atomic; a look before it would not be
        except IndexError:
            pass
        try:
            return connect(path, read_only=True)
        except BaseException:
            self.reading.pop()
            raise

    def put_back(self, connection: Connection, *, is_fit: bool) -> None:
        """End the use of a connection; one that is not fit is closed."""
        if is_fit:
            self.readers.append(connection)
        else:
            connection.close()
        self.reading.pop()

    # -- for their retirement ----------------------------------------------------------------------

    @property
    def connection(self) -> Connection:
        return self.commits.connection

    def stop_writing(self) -> list[Write[Any]]:
        self.writer.close()
        return self.commits.owed

    def rescue_log(self) -> Rescue:
        return self.commits.rescue_log()

    def take_readers(self) -> list[Connection] | None:
        self.retired.append(None)  # first: from here on `borrow_reader` refuses, or is in `reading`
        if self.reading:
            return None
        taken = list(self.readers)
        self.readers.clear()
        return taken

    def close(self) -> None:
        self.commits.close()
