"""One SQLite file, shared by any number of threads and processes.

Writes of one process gather in its `Writer` and commit together; processes take turns at the `Gate`.
Everything is opened when first used, and opened anew after a fork.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any, Literal, TypeVar

import apsw

from ..errors import EngineError, UnsupportedDatabase
from ..forks import abandon_in_children
from ..writer import Operation, Writer
from .filesystem import refuse_network_filesystem
from .gate import Gate
from .glance import Glances
from .schema import Schema

logger = logging.getLogger(__name__)

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


#: How long SQLite itself waits for a lock: only backups and other programs ever hold one against us.
BUSY_TIMEOUT_MS = 5_000

#: How long a caller waits for its commit, in seconds, before it is told that the database is stuck.
WRITE_TIMEOUT_S = 10.0

#: A checkpoint follows the commit that takes the WAL over this many 4 KiB pages. Larger than SQLite's
#: 1,000: it halves the fsyncs of the database file, and the WAL stays below 20 MB.
CHECKPOINT_PAGES = 4_000

#: Giving space back is done in steps, each short enough for a webhook to wait for: 500 pages take some 20 ms.
PAGES_A_STEP = 500
STEPS_OF_GIVING_BACK = 40

#: Inherited connections of a parent process: neither used nor closed, only kept from being collected.
_abandoned: list[Any] = []


class Database:
    """A database file and this process's way into it.

    Parameters:
      path: the file; created when missing.
      schema: the tables this user of the file needs.
      before_commit: called in each transaction when all is done but the commit itself.

    Raises:
      UnsupportedDatabase: the path lies on a network filesystem.
    """

    def __init__(
        self,
        path: str | Path,
        schema: Schema,
        *,
        before_commit: Callable[[], None] = lambda: None,
    ) -> None:
        if str(path) in {"", ":memory:"}:
            raise UnsupportedDatabase("A durable queue needs a file: give a path, not ':memory:'")
        self.path = Path(path).absolute()
        self.run_directory = self.path.with_name(self.path.name + "-run")
        refuse_network_filesystem(self.path)
        self._schema = schema
        self._before_commit = before_commit
        self._opening = threading.Lock()
        self._handles: _Handles | None = None
        abandon_in_children(self)

    def write(self, apply: Callable[[apsw.Connection], T], *, durable: bool = True) -> T:
        """Run `apply` in the next transaction; return its result once that is committed.

        Parameters:
          apply: works on the connection. What it raises is raised here, and its changes are undone; it
            may be run a second time when another operation spoiled the transaction.
          durable: return only when the commit is on disk. Without it a power cut may undo the write,
            a crash of the process does not.

        Raises:
          EngineError: SQLite could not.
        """
        return self.perform(Write(apply, durable=durable))

    def perform(self, operation: Write[T]) -> T:
        """Have an operation done in the next transaction; return its result once that is committed.

        Raises:
          EngineError: SQLite could not.
        """
        result: T = self._open().writer.perform(operation, WRITE_TIMEOUT_S)
        return result

    async def perform_async(self, operation: Write[T]) -> T:
        """`perform` for an event loop."""
        return await operation.wait_async(self.submit, WRITE_TIMEOUT_S)

    def submit(self, operation: Write[Any]) -> None:
        """Hand an operation to the writer without waiting for it."""
        self._open().writer.submit(operation)

    def read(self, apply: Callable[[apsw.Connection], T]) -> T:
        """Run `apply` on a consistent snapshot. Keep it short: an open snapshot holds up checkpoints.

        Raises:
          EngineError: SQLite could not.
        """
        handles = self._open()
        try:
            connection = handles.spare_reader() or self._connect(read_only=True)
            try:
                with connection:  # a savepoint: every statement sees the same state
                    result = apply(connection)
            finally:
                handles.readers.append(connection)
        except apsw.Error as error:
            raise self._explain(error) from error
        return result

    def give_back_spare_space(self, threshold_bytes: int) -> None:
        """Truncate the WAL and return free pages to the disk, in steps between which others may write.

        Parameters:
          threshold_bytes: do nothing while less than this could be given back.

        Raises:
          EngineError: SQLite could not.
        """
        free_pages = self.read(lambda c: c.pragma("freelist_count"))
        if max(self.wal_bytes(), free_pages * 4096) < threshold_bytes:
            return
        try:
            # Both its own: the writer's file descriptors would not exclude it, and its connection is in use.
            with closing(Gate(self.run_directory)) as gate, closing(self._connect()) as connection:
                connection.set_busy_timeout(0)  # nobody shall wait at the gate for a reader to end
                for _ in range(STEPS_OF_GIVING_BACK):
                    if not gate.try_enter():
                        return  # someone wants to write: space can wait
                    try:
                        connection.execute(f"PRAGMA incremental_vacuum({PAGES_A_STEP})").fetchall()
                        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
                    finally:
                        gate.leave()
                    if connection.pragma("freelist_count") == 0:
                        return
        except apsw.BusyError:
            return  # a reader is at it; the next round will do
        except apsw.Error as error:
            raise self._explain(error) from error

    def file_bytes(self) -> int:
        """Size of the file; 0 while there is none."""
        return _size(self.path)

    def wal_bytes(self) -> int:
        """Size of the write-ahead log; 0 while there is none."""
        return _size(self.path.with_name(self.path.name + "-wal"))

    def close(self) -> None:
        """Commit what was submitted, and close. The next use opens it again."""
        with self._opening:
            handles, self._handles = self._handles, None
        if handles is not None:
            handles.writer.close()
            handles.connection.close()
            for reader in handles.readers:
                reader.close()
            handles.gate.close()

    def abandon(self) -> None:
        """In a forked child: forget the parent's connections and locks."""
        if self._handles is not None:
            _abandoned.append(self._handles)
            self._handles.gate.close()  # or, were the parent to die inside, it would stay shut
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
                    raise self._explain(error) from error
                except OSError as error:
                    raise EngineError(f"Cannot open the queue at {self.path}: {error}") from error
            return self._handles

    def _prepare(self) -> _Handles:
        self.run_directory.mkdir(parents=True, exist_ok=True)
        with ExitStack() as on_failure:
            gate = on_failure.enter_context(closing(Gate(self.run_directory)))
            connection = on_failure.enter_context(closing(self._connect()))
            gate.enter_within(
                WRITE_TIMEOUT_S
            )  # two processes that create the file together would find it locked
            try:
                connection.pragma("auto_vacuum", "INCREMENTAL")  # must come before the first table
                connection.pragma("journal_mode", "WAL")
                with connection:
                    self._schema.bring_up_to_date(connection, path=str(self.path))
            finally:
                gate.leave()
            on_failure.pop_all()
        handles = _Handles(gate, connection, self.path)
        handles.writer = Writer(
            partial(self._commit, handles),
            try_commit=partial(self._try_commit, handles),
            name=f"recado-writer({self.path.name})",
        )
        return handles

    def _connect(self, *, read_only: bool = False) -> apsw.Connection:
        connection = apsw.Connection(str(self.path))
        connection.set_busy_timeout(BUSY_TIMEOUT_MS)  # before anything that can meet a lock
        connection.pragma("synchronous", "FULL")
        connection.pragma("journal_size_limit", CHECKPOINT_PAGES * 4096)
        connection.wal_autocheckpoint(CHECKPOINT_PAGES)
        if read_only:
            connection.pragma("query_only", True)
        return connection

    # -- committing, by one thread at a time ----------------------------------------------------------

    def _commit(self, handles: _Handles, batch: list[Write[Any]]) -> None:
        """Commit a batch as one transaction. Never raises: each operation learns of its own failure."""
        with handles.gate:
            # Looked at only now: it may have taken long to get through the gate.
            batch = [operation for operation in batch if not operation.abandoned]
            outcome = self._attempt(handles, batch)
        if outcome == "spoiled" and len(batch) > 1:
            # One operation spoiled it for all: let only that one fail.
            for operation in batch:
                operation.error = None
                self._commit(handles, [operation])

    def _try_commit(self, handles: _Handles, operation: Write[Any]) -> bool:
        """Commit one operation if no other process is at the gate."""
        if not handles.gate.try_enter():
            return False
        try:
            self._attempt(handles, [operation])
        finally:
            handles.gate.leave()
        return True

    def _attempt(self, handles: _Handles, batch: list[Write[Any]]) -> Literal["done", "spoiled", "failed"]:
        """One transaction, inside the gate. Failed is the engine, and all are told."""
        try:
            if not self._transact(handles, batch):
                return "spoiled"
        except (apsw.Error, OSError) as error:
            for operation in batch:
                operation.error = self._explain(error)
            return "failed"
        return "done"

    def _forget(self, handles: _Handles) -> None:
        """The file is not the one we opened: open what is there now when it is next needed."""
        with self._opening:
            if self._handles is handles:
                self._handles = None
                _abandoned.append(handles)

    def _transact(self, handles: _Handles, batch: list[Write[Any]]) -> bool:
        """Returns False, with everything rolled back, when an operation raised."""
        connection = handles.connection
        durable = any(operation.durable for operation in batch)
        if durable and not handles.file_is_there():
            self._forget(handles)
            raise FileNotFoundError("the file was deleted or replaced while it was open")
        handles.be_durable(durable)
        groups = [(kind, list(alike)) for kind, alike in groupby(batch, key=_kind)]
        if len(groups) == 1 and (whole := groups[0][0].in_one_statement(groups[0][1])) is not None:
            self._announce()
            return self._tried(batch, lambda: whole(connection))
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._tried(batch, lambda: _apply_all(connection, groups)):
                return False
            self._announce()
            connection.execute("COMMIT")
            return True
        finally:
            if not connection.get_autocommit():
                connection.execute("ROLLBACK")

    def _tried(self, batch: list[Write[Any]], apply: Callable[[], None]) -> bool:
        """Whether this succeeded. If not, the operation whose fault it is, or else each, is told."""
        try:
            apply()
        except Exception as error:  # noqa: BLE001  whatever it is, it is its caller's to see
            explained = self._explain(error) if isinstance(error, apsw.Error) else error
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

    def _explain(self, error: Exception) -> EngineError:
        return EngineError(f"SQLite could not use {self.path}: {type(error).__name__}: {error}")


Kind = type[Write[Any]]


def _apply_all(connection: apsw.Connection, groups: Sequence[tuple[Kind, Sequence[Write[Any]]]]) -> None:
    for kind, operations in groups:
        kind.apply_all(connection, operations)


def _kind(operation: Write[Any]) -> Kind:
    return type(operation)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


class _Handles:
    """What one process has open."""

    writer: Writer[Write[Any]]

    def __init__(self, gate: Gate, connection: apsw.Connection, path: Path) -> None:
        self.gate = gate
        self.connection = connection
        self._glances = Glances(path)
        self._inode = self._glances.look().inode
        self.readers: list[apsw.Connection] = []
        self._durable = True

    def spare_reader(self) -> apsw.Connection | None:
        with suppress(IndexError):  # list.pop is atomic; a look before it would not be
            return self.readers.pop()
        return None

    def file_is_there(self) -> bool:
        """A file that was deleted can still be written to, and what is written is gone with the process."""
        try:
            return self._glances.look().inode == self._inode
        except FileNotFoundError:
            return False

    def be_durable(self, durable: bool) -> None:
        """FULL syncs the WAL at each commit; NORMAL leaves that to the next FULL one or the checkpoint."""
        if durable != self._durable:
            self.connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            self._durable = durable
