"""Makes transactions of the operations that wait."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

import apsw

from ...errors import EngineError, FileLost
from .connection import MALFORMED, Connection, explain
from .files import LOSS_TEXTS, WAL, WAL_INDEX, Files, Loss, beside, is_recorded_wal
from .operations import Write, apply_all, are_one_statement
from .process_lock import ProcessLock
from .wal_checkpoint import WalCheckpointer
from .wal_fsync import WalFsync

logger = logging.getLogger(__name__)

#: How long to wait for the process lock to rewrite a log whose sync failed, in seconds. After that the next
#: durable transaction rewrites it.
LOCK_TIMEOUT_S = 1.0

#: How old a connection is at least that is given up because its file is damaged, in seconds. The file may
#: be whole again, and one that is still damaged is not opened anew for each operation.
REOPEN_DAMAGED_AFTER_S = 1.0

#: How a transaction ended. spoiled: an operation raised an error. failed: SQLite did.
Outcome = Literal["done", "spoiled", "failed"]

_is_durable = attrgetter("durable")

#: Errors that are the file's fault, also that a text in it is not UTF-8.
_OF_THE_FILE = (apsw.Error, UnicodeDecodeError)


class Rescue(NamedTuple):
    """The result of copying a log that has lost its name or its index into the database.

    Attributes:
      is_complete: all of the log is in the database, on disk.
      text: the same in words.
    """

    is_complete: bool
    text: str


class Transactions:
    """The one connection by which a process writes. For one thread at a time.

    Parameters:
      path: the database file.
      connection, process_lock, wal_fsync, checkpointer: owned by this object from now on.
      files: the files that the connection has open.
      run_directory: holds the process lock.
      after_commit: called after each commit, without the process lock.
      on_lost: called once, when a file is not the one that was opened, or is damaged.

    Attributes:
      files: the files that the connection has open.
      connection: the connection.
      unwritten: operations for which no caller waits, and that a lost file did not take.
    """

    def __init__(
        self,
        path: Path,
        connection: Connection,
        process_lock: ProcessLock,
        wal_fsync: WalFsync,
        checkpointer: WalCheckpointer,
        *,
        files: Files,
        run_directory: Path,
        after_commit: Callable[[], None],
        on_lost: Callable[[Transactions, Loss], None],
    ) -> None:
        self._path = path
        self.connection = connection
        self._process_lock = process_lock
        self._checkpointer = checkpointer
        self._wal_fsync = wal_fsync
        self._after_commit = after_commit
        self._on_lost = on_lost
        self.files = files
        self._run_directory = run_directory
        self.unwritten: list[Write[Any]] = []
        self._loss: Loss | None = None  # why this object was given up
        self._rescue: Rescue | None = None
        self._is_damaged = False
        self._opened_at = time.monotonic()
        self._is_synced_by_sqlite = True
        self._is_unsynced = False  # whether the last commit was durable, and SQLite did not sync it

    def commit(self, batch: list[Write[Any]]) -> None:
        """Commit a batch as one transaction. Never raises: each operation gets its own error.

        SQLite syncs the log, under the process lock. Where there are batches there are busy threads, and
        each call costs a fight for the GIL, so a single call that does both is faster (with 4 threads by a
        third).
        """
        with self._process_lock:
            # Only now: the caller may have waited long for the process lock.
            batch = [operation for operation in batch if not operation.abandoned]
            if not batch:
                return
            if self._has_lost_a_file:
                self._redirect(batch)
                return
            outcome = self._attempt(batch, sync_by_sqlite=True)
        self._follow_up(batch, outcome)
        if outcome == "spoiled" and len(batch) > 1 and not self._has_lost_a_file:
            # One operation spoiled it for all: each gets a transaction of its own, and only that one fails.
            for operation in batch:
                operation.error = None
                self.commit([operation])

    def try_commit(self, operation: Write[Any]) -> bool:
        """Commit one operation if no other process has the process lock, or waits for it.

        The log is synced after the lock is released.
        """
        if self._has_lost_a_file or not self._process_lock.try_acquire():
            return False
        batch = [operation]
        try:
            outcome = self._attempt(batch, sync_by_sqlite=False)
        finally:
            self._process_lock.release()
        if self._is_unsynced:
            self._wal_fsync.start()
        self._follow_up(batch, outcome)
        return True

    def rescue_wal(self) -> Rescue:
        """Copy a log that has lost its name, or its index, into the database; later calls return the same.

        Then the log's file is removed, too: other processes may append to it until they notice the loss.
        """
        if self._rescue is None:
            try:
                self._process_lock.acquire_within(LOCK_TIMEOUT_S)
                try:
                    self._rescue = self._copy_lost_wal()
                finally:
                    self._process_lock.release()
            except (apsw.Error, OSError, EngineError) as error:
                self._rescue = Rescue(
                    False, f"Messages that were only in the log are lost, it could not be copied: {error}"
                )
        return self._rescue

    def _copy_lost_wal(self) -> Rescue:
        if not is_recorded_wal(self._run_directory, self.files.opened.wal):
            return Rescue(
                False, "Another process has begun a new log: messages that it did not copy before are lost"
            )
        with self.connection.in_use:
            logged, copied = self.connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
        if logged != copied:
            return Rescue(False, "Not all of the log could be copied into the database")
        for suffix in (WAL, WAL_INDEX):
            beside(self._path, suffix).unlink(missing_ok=True)
        return Rescue(True, "The log was copied into the database: nothing was lost")

    def close(self) -> None:
        """Close all that this object owns. No commit is going on, and none will come."""
        self._checkpointer.close()
        self._wal_fsync.close()
        self.connection.close()
        self._process_lock.close()

    # -- under the process lock ----------------------------------------------------------------------

    def _attempt(self, batch: list[Write[Any]], *, sync_by_sqlite: bool) -> Outcome:
        """Run one transaction. When it has failed, each operation has the error."""
        try:
            with self.connection.in_use:
                if not self._transact(batch, sync_by_sqlite=sync_by_sqlite):
                    return "spoiled"
        except (apsw.Error, OSError) as error:
            self._react_to(error)
            self._fail(batch, error)
            return "failed"
        return "done"

    def _transact(self, batch: list[Write[Any]], *, sync_by_sqlite: bool) -> bool:
        """Return False, with everything rolled back, when an operation raised an error."""
        is_durable = any(map(_is_durable, batch))
        if is_durable and self._wal_fsync.is_suspect:
            self._wal_fsync.rewrite()
        by_sqlite = is_durable and sync_by_sqlite
        if by_sqlite != self._is_synced_by_sqlite:
            self._have_sqlite_sync(by_sqlite)
        changes_before = self.connection.total_changes() if by_sqlite else 0  # read only where it decides
        if not self._run(batch):
            return False
        # SQLite does not sync a commit that changed nothing. But what the operation found may be the
        # message of another process that still waits for the disk.
        is_synced = by_sqlite and self.connection.total_changes() != changes_before
        self._is_unsynced = is_durable and not is_synced
        return True

    def _run(self, batch: list[Write[Any]]) -> bool:
        if are_one_statement(batch):
            return self._apply(batch)
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._apply(batch):
                return False
            connection.execute("COMMIT")
            return True
        finally:
            if not connection.get_autocommit():
                connection.execute("ROLLBACK")

    def _have_sqlite_sync(self, by_sqlite: bool) -> None:
        """Have SQLite itself sync the log at the end of each commit, or not."""
        self._is_synced_by_sqlite = False  # should this be interrupted: better synced twice than never
        self.connection.execute(f"PRAGMA synchronous = {'FULL' if by_sqlite else 'NORMAL'}")
        self._is_synced_by_sqlite = by_sqlite

    def _apply(self, batch: list[Write[Any]]) -> bool:
        """Return whether all operations succeeded. If not, the one that raised, or each, has the error."""
        try:
            apply_all(self.connection, batch)
        except Exception as error:  # noqa: BLE001  whatever it is, it is for the operation's caller
            self._react_to(error)
            explained = explain(self._path, error) if isinstance(error, _OF_THE_FILE) else error
            guilty = [operation for operation in batch if operation.error is not None]
            for operation in guilty or batch:
                operation.error = explained
            return False
        return True

    def _react_to(self, error: Exception) -> None:
        """Note what an error of SQLite's requires before the next transaction.

        An error of the disk may have been one of the sync, and then the writes of other processes are in
        doubt as well.
        """
        if isinstance(error, apsw.IOError):
            self._wal_fsync.suspect(error)
        elif isinstance(error, MALFORMED):
            self._is_damaged = True
            self.connection.release_memory()  # of the pages it has read: the file may be repaired meanwhile
        elif isinstance(error, apsw.FullError):
            self._checkpointer.truncate_soon()

    # -- after the process lock is released -----------------------------------------------------------

    def _follow_up(self, batch: list[Write[Any]], outcome: Outcome) -> None:
        """Do the part of a commit for which no other process has to wait."""
        if outcome == "done":
            self._notify()  # first: a consumer that begins sooner is worth a wake-up for nothing
        if not self._is_checked_later(batch, outcome) and self._is_lost(batch, outcome):
            return
        if outcome != "done":
            return
        with self.connection.in_use:
            self._checkpointer.after_commit(self.connection)
        if not self._is_unsynced:
            return
        try:
            self._sync()
        except (apsw.Error, OSError, EngineError) as error:
            self._fail([operation for operation in batch if operation.durable], error)

    @staticmethod
    def _is_checked_later(batch: list[Write[Any]], outcome: Outcome) -> bool:
        return outcome == "done" and len(batch) == 1 and batch[0].is_checked_later

    def _is_lost(self, batch: list[Write[Any]], outcome: Outcome) -> bool:
        """Return whether the transaction was not for the files that lie there now.

        Then each operation with a caller has the error, and the others are kept for the next connection.
        """
        try:
            loss = self.files.lost()
        except OSError as error:
            self._fail([operation for operation in batch if operation.durable], error)
            return True
        if loss is None:
            self._give_up_if_damaged()
            return False
        if loss == "database":
            self._redirect(batch)
        elif outcome == "done" and not (rescue := self.rescue_wal()).is_complete:
            # The operations may be in the database all the same, so they are not simply done again.
            self._fail(batch, EngineError(f"{self._path} {LOSS_TEXTS[loss]}. {rescue.text}"))
        self._give_up(loss)
        return True

    def _redirect(self, batch: list[Write[Any]]) -> None:
        """Have operations done again, in the file that lies there now."""
        for operation in batch:
            if operation.lazy:
                operation.error = None
                self.unwritten.append(operation)
            else:
                operation.error = FileLost(f"{self._path} {LOSS_TEXTS[self._loss or 'database']}")

    @property
    def is_given_up(self) -> bool:
        """Whether another connection takes the place of this one."""
        return self._loss is not None

    @property
    def _has_lost_a_file(self) -> bool:
        return self._loss in {"database", "wal"}

    def _give_up_if_damaged(self) -> None:
        if not self._is_damaged:
            return
        self._is_damaged = False
        if time.monotonic() - self._opened_at >= REOPEN_DAMAGED_AFTER_S:
            self._give_up("damaged")

    def _give_up(self, loss: Loss) -> None:
        if self._loss is None:
            self._loss = loss
            self._on_lost(self, loss)

    def _sync(self) -> None:
        try:
            self._wal_fsync.finish()
        except OSError:
            self._rewrite()

    def _rewrite(self) -> None:
        self._process_lock.acquire_within(LOCK_TIMEOUT_S)  # a process may be stopped while it has the lock
        try:
            with self.connection.in_use:
                self._wal_fsync.rewrite()
        finally:
            self._process_lock.release()

    def _notify(self) -> None:
        try:
            self._after_commit()
        except Exception:  # the wake-up is a hint, and what was committed is committed
            logger.exception(
                "Waiting consumers could not be woken: each finds the message with its next poll"
            )

    def _fail(self, batch: list[Write[Any]], error: Exception) -> None:
        for operation in batch:
            operation.error = error if isinstance(error, EngineError) else explain(self._path, error)
