"""Making transactions of what waits."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal, NamedTuple

import apsw

from ..errors import EngineError, FileLost
from .connection import MALFORMED, Connection, explain
from .files import INDEX, LOG, SAID, Files, Loss, beside, is_noted
from .gate import Gate
from .log_sync import LogSync
from .write import Write, apply_all, are_one_statement
from .write_ahead_log import WriteAheadLog

logger = logging.getLogger(__name__)

#: How long to wait for a turn to write a log once more that could not be synced, in seconds. The next who
#: writes does it otherwise.
TURN_WITHIN_S = 1.0

#: How old a connection is at least that is given up because its file is damaged, in seconds: it may have been
#: mended meanwhile, and what is still damaged is not opened anew for each operation.
WORTH_ANOTHER_TRY_S = 1.0

#: Spoiled: an operation raised. Failed: SQLite did.
Outcome = Literal["done", "spoiled", "failed"]

_is_durable = attrgetter("durable")

#: What the file is at fault for: also that a text in it is none.
_OF_THE_FILE = (apsw.Error, UnicodeDecodeError)


class Rescue(NamedTuple):
    """What came of copying a log that has lost its name or its index.

    Attributes:
      is_whole: all of it is in the database, on disk.
      told: the same in words.
    """

    is_whole: bool
    told: str


class Commits:
    """The one connection by which a process writes. For one thread at a time.

    Parameters:
      path: the database file.
      connection, gate, sync, log: its own from now on.
      files: those that the connection has open.
      run_directory: where the gate is.
      after_commit: called after each commit, outside the gate.
      on_lost: called once, when a file is not the one that was opened, or is damaged.

    Attributes:
      files: those that the connection has open.
      owed: operations that nothing waits for, and that a lost file did not take.
    """

    def __init__(
        self,
        path: Path,
        connection: Connection,
        gate: Gate,
        sync: LogSync,
        log: WriteAheadLog,
        *,
        files: Files,
        run_directory: Path,
        after_commit: Callable[[], None],
        on_lost: Callable[[Commits, Loss], None],
    ) -> None:
        self._path = path
        self._connection = connection
        self._gate = gate
        self._log = log
        self._sync = sync
        self._after_commit = after_commit
        self._on_lost = on_lost
        self.files = files
        self._run_directory = run_directory
        self.owed: list[Write[Any]] = []
        self._loss: Loss | None = None  # what it was given up for
        self._rescue: Rescue | None = None
        self._is_damaged = False
        self._opened_at = time.monotonic()
        self._is_synced_by_sqlite = True
        self._is_unsynced = False  # whether the last commit was durable, and SQLite did not sync it

    def commit(self, batch: list[Write[Any]]) -> None:
        """Commit a batch as one transaction. Never raises: each operation learns of its own failure.

        SQLite syncs the log, inside the gate: where batches are made there are busy threads, and each call
        costs a fight for the GIL. One that does it all is faster (with 4 threads by a third).
        """
        with self._gate:
            # Looked at only now: it may have taken long to get through the gate.
            batch = [operation for operation in batch if not operation.abandoned]
            if not batch:
                return
            if self._has_lost_a_file:
                self._turn_away(batch)
                return
            outcome = self._attempt(batch, sync_inside=True)
        self._follow_up(batch, outcome)
        if outcome == "spoiled" and len(batch) > 1 and not self._has_lost_a_file:
            # One operation spoiled it for all: let only that one fail.
            for operation in batch:
                operation.error = None
                self.commit([operation])

    def try_commit(self, operation: Write[Any]) -> bool:
        """Commit one operation if no other process is at the gate. The log is synced outside of it."""
        if self._has_lost_a_file or not self._gate.try_enter():
            return False
        batch = [operation]
        try:
            outcome = self._attempt(batch, sync_inside=False)
        finally:
            self._gate.leave()
        if self._is_unsynced:
            self._sync.begin()
        self._follow_up(batch, outcome)
        return True

    @property
    def connection(self) -> Connection:
        """The connection, for its last use."""
        return self._connection

    def rescue_log(self) -> Rescue:
        """Copy a log that has lost its name, or its index, into the database; later calls return the same.

        Then the log's file goes, too: other processes may append to it still, until they notice.
        """
        if self._rescue is None:
            try:
                self._gate.enter_within(TURN_WITHIN_S)
                try:
                    self._rescue = self._copy_lost_log()
                finally:
                    self._gate.leave()
            except (apsw.Error, OSError, EngineError) as error:
                self._rescue = Rescue(False, f"What only it held is lost, it could not be copied: {error}")
        return self._rescue

    def _copy_lost_log(self) -> Rescue:
        if not is_noted(self._run_directory, self.files.opened.log):
            return Rescue(False, "Another process has begun a new one: what it did not copy before is lost")
        with self._connection.in_use:
            logged, copied = self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_FULL)
        if logged != copied:
            return Rescue(False, "Not all of it could be copied into the database")
        for suffix in (LOG, INDEX):
            beside(self._path, suffix).unlink(missing_ok=True)
        return Rescue(True, "It was copied into the database: nothing was lost")

    def close(self) -> None:
        """Nothing is being committed, and nothing will be."""
        self._log.close()
        self._sync.close()
        self._connection.close()
        self._gate.close()

    # -- inside the gate -----------------------------------------------------------------------------

    def _attempt(self, batch: list[Write[Any]], *, sync_inside: bool) -> Outcome:
        """One transaction. Failed is the engine, and all are told."""
        try:
            with self._connection.in_use:
                if not self._transact(batch, sync_inside=sync_inside):
                    return "spoiled"
        except (apsw.Error, OSError) as error:
            self._doubt(error)
            self._tell(batch, error)
            return "failed"
        return "done"

    def _transact(self, batch: list[Write[Any]], *, sync_inside: bool) -> bool:
        """Returns False, with everything rolled back, when an operation raised."""
        is_durable = any(map(_is_durable, batch))
        if is_durable and self._sync.may_have_a_hole:
            self._sync.make_whole()
        by_sqlite = is_durable and sync_inside
        if by_sqlite != self._is_synced_by_sqlite:
            self._be_synced_by_sqlite(by_sqlite)
        changes_before = self._connection.total_changes() if by_sqlite else 0  # asked only where it decides
        if not self._run(batch):
            return False
        # A commit of nothing is not synced. But what it found may be another's, who still waits for the disk.
        is_synced = by_sqlite and self._connection.total_changes() != changes_before
        self._is_unsynced = is_durable and not is_synced
        return True

    def _run(self, batch: list[Write[Any]]) -> bool:
        if are_one_statement(batch):
            return self._tried(batch)
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            if not self._tried(batch):
                return False
            connection.execute("COMMIT")
            return True
        finally:
            if not connection.get_autocommit():
                connection.execute("ROLLBACK")

    def _be_synced_by_sqlite(self, by_sqlite: bool) -> None:
        """Whether SQLite itself syncs the log at the end of each commit."""
        self._is_synced_by_sqlite = False  # should this be interrupted: better synced twice than never
        self._connection.execute(f"PRAGMA synchronous = {'FULL' if by_sqlite else 'NORMAL'}")
        self._is_synced_by_sqlite = by_sqlite

    def _tried(self, batch: list[Write[Any]]) -> bool:
        """Whether all succeeded. If not, the operation whose fault it is, or else each, is told."""
        try:
            apply_all(self._connection, batch)
        except Exception as error:  # noqa: BLE001  whatever it is, it is its caller's to see
            self._doubt(error)
            explained = explain(self._path, error) if isinstance(error, _OF_THE_FILE) else error
            guilty = [operation for operation in batch if operation.error is not None]
            for operation in guilty or batch:
                operation.error = explained
            return False
        return True

    def _doubt(self, error: Exception) -> None:
        """See what has to be done about an error of SQLite's.

        If it is one of the disk's, it may have been the sync, and what others had written went with it.
        """
        if isinstance(error, apsw.IOError):
            self._sync.doubt(error)
        elif isinstance(error, MALFORMED):
            self._is_damaged = True
            self._connection.release_memory()  # of what it has read: the file may be put right meanwhile
        elif isinstance(error, apsw.FullError):
            self._log.make_room()

    # -- outside -------------------------------------------------------------------------------------

    def _follow_up(self, batch: list[Write[Any]], outcome: Outcome) -> None:
        """What no other process has to wait for."""
        if self._is_lost(batch, outcome) or outcome != "done":
            return
        self._announce()
        with self._connection.in_use:
            self._log.after_commit(self._connection)
        durable = [operation for operation in batch if operation.durable]
        if durable:
            try:
                self._get_onto_disk()
            except (apsw.Error, OSError, EngineError) as error:
                self._tell(durable, error)

    def _is_lost(self, batch: list[Write[Any]], outcome: Outcome) -> bool:
        """Whether what was committed, or could not be, was not for the files that lie there now.

        Then each operation that has a caller is told so, and the others are kept for the next connection.
        """
        try:
            loss = self.files.lost()
        except OSError as error:
            self._tell([operation for operation in batch if operation.durable], error)
            return True
        if loss is None:
            self._give_up_if_damaged()
            return False
        if loss == "database":
            self._turn_away(batch)
        elif outcome == "done" and not (rescue := self.rescue_log()).is_whole:
            # It may be in the database all the same, so it is not simply done again.
            self._tell(batch, EngineError(f"{self._path} {SAID[loss]}. {rescue.told}"))
        self._give_up(loss)
        return True

    def _turn_away(self, batch: list[Write[Any]]) -> None:
        """Have operations done again, in the file that lies there now."""
        for operation in batch:
            if operation.lazy:
                operation.error = None
                self.owed.append(operation)
            else:
                operation.error = FileLost(f"{self._path} {SAID[self._loss or 'database']}")

    @property
    def is_given_up(self) -> bool:
        """Whether another connection takes its place."""
        return self._loss is not None

    @property
    def _has_lost_a_file(self) -> bool:
        return self._loss in {"database", "log"}

    def _give_up_if_damaged(self) -> None:
        damaged, self._is_damaged = self._is_damaged, False
        if damaged and time.monotonic() - self._opened_at >= WORTH_ANOTHER_TRY_S:
            self._give_up("damaged")

    def _give_up(self, loss: Loss) -> None:
        if self._loss is None:
            self._loss = loss
            self._on_lost(self, loss)

    def _get_onto_disk(self) -> None:
        if self._is_unsynced:
            try:
                self._sync.finish()
            except OSError:
                self._make_whole()

    def _make_whole(self) -> None:
        self._gate.enter_within(TURN_WITHIN_S)  # not for ever: a process may be stopped inside
        try:
            with self._connection.in_use:
                self._sync.make_whole()
        finally:
            self._gate.leave()

    def _announce(self) -> None:
        try:
            self._after_commit()
        except Exception:  # it is a hint, and what was committed is committed
            logger.exception("Could not do what follows a commit")

    def _tell(self, batch: list[Write[Any]], error: Exception) -> None:
        for operation in batch:
            operation.error = error if isinstance(error, EngineError) else explain(self._path, error)
