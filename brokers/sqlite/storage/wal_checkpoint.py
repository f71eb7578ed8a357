"""Makes checkpoints of the write-ahead log, and preallocates its file, beside the commits.

A checkpoint of a full log takes some 40 ms, most of it the disk's. If the caller that commits made it under
the process lock, no process could store a message meanwhile. So a background thread makes the checkpoint
outside of the lock. A second one, of what was committed since, it makes under the lock, which takes a few
milliseconds. With nothing left to copy the next commit begins the log anew.

A commit that makes the log's file longer takes half as long again, because the file system has to commit
too. So the file keeps its length. Until it has that length, the background thread makes it longer, a step
ahead of the commits.

On a disk with little space all of this is smaller, so that several logs leave space for the databases: a
checkpoint needs space in the database, and no log begins anew before it.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import apsw

from .background import BackgroundTask
from .connection import AUTOCHECKPOINT_PAGES, KEPT_PAGES, PAGE_BYTES, Connection
from .disk_space import DiskSpace
from .files import size_bytes, wal_of
from .process_lock import ProcessLock
from .system_calls import sync_to_disk

logger = logging.getLogger(__name__)

#: Make a checkpoint once this many pages of the log have not been checkpointed. Larger than SQLite's 1,000:
#: it halves the fsyncs of the database file. `KEPT_PAGES` has room for 1,000 more, written during the
#: checkpoint.
CHECKPOINT_PAGES = 4_000

#: Preallocate only once so many pages are in the log: a single message is no reason.
FIRST_PAGES = 64

#: One part in so many of the free space may wait in the log for a checkpoint, and may be preallocated.
WAITING_DIVISOR, PREALLOCATED_DIVISOR = 8, 16

#: With less free space than so many reserves, the commit that fills the log makes the checkpoint itself.
TIGHT_RESERVES = 2.0

#: How far ahead of the commits the file is preallocated at least, in pages, and how much is written at a
#: time.
STEP_PAGES = 256
_ZEROS = bytes(STEP_PAGES * PAGE_BYTES)

#: How long the thread pauses after a checkpoint that gained nothing, in seconds: another process makes one,
#: or a snapshot is open.
PAUSE_S = 0.1


class WalCheckpointer:
    """Starts the work that a write-ahead log needs, when a commit has made it necessary.

    Parameters:
      database: the database file.
      connect: opens a connection of the thread's own.
      run_directory: holds the process lock.
      disk_space: of the disk that the database lies on.
    """

    def __init__(
        self, database: Path, connect: Callable[[], Connection], run_directory: Path, disk_space: DiskSpace
    ) -> None:
        self._path = wal_of(database)
        self._disk_space = disk_space
        self._connect = connect
        self._run_directory = run_directory
        self._preallocate_at = FIRST_PAGES
        self._background = BackgroundTask("recado-wal-checkpoint")

    def after_commit(self, connection: Connection) -> None:
        """Read the length of the log, in a microsecond, and start what is due. For one thread at a time.

        Never raises: the commit before has succeeded.
        """
        try:
            logged, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
            if logged - copied >= self._max_waiting_pages():
                is_tight = self._disk_space.is_short(share=TIGHT_RESERVES)
                if is_tight:
                    connection.wal_checkpoint()  # here and now: the thread's checkpoint might come too late
                if not is_tight or self._disk_space.is_short():  # then the thread also truncates the log
                    self._background.start(partial(self._run, self._checkpoint))
            elif logged >= self._preallocate_at:
                self._background.start(partial(self._run, partial(self._preallocate, logged)))
        except apsw.BusyError:
            return  # another process writes to the log's index: the next commit reads it again
        except (apsw.Error, OSError, RuntimeError) as error:  # RuntimeError: there can be no more threads
            _warn(error)

    def truncate_soon(self) -> None:
        """Start a checkpoint that gives back the log's space, since the disk is full. Never raises."""
        try:
            self._background.start(partial(self._run, self._checkpoint))
        except RuntimeError as error:
            _warn(error)

    def _max_waiting_pages(self) -> int:
        """Return how many pages may wait for a checkpoint."""
        free_pages = self._disk_space.free_bytes() // PAGE_BYTES
        return min(CHECKPOINT_PAGES, max(FIRST_PAGES, free_pages // WAITING_DIVISOR))

    def close(self) -> None:
        """Wait for the work that runs, for a while. The work has a connection of its own, and may go on."""
        self._background.close()

    def _run(self, work: Callable[[Connection, ProcessLock], None]) -> None:
        try:
            # The thread's own lock, because the writer's file descriptors would not exclude the writer; and
            # its own connection, because the writer's is in use.
            with (
                closing(self._connect()) as connection,
                closing(ProcessLock(self._run_directory)) as process_lock,
            ):
                work(connection, process_lock)
        except apsw.BusyError:
            self._background.pause(PAUSE_S)
        except (apsw.Error, OSError) as error:
            _warn(error)
            self._background.pause(PAUSE_S)

    def _checkpoint(self, connection: Connection, process_lock: ProcessLock) -> None:
        checkpoint(connection)
        with process_lock:
            checkpoint(connection)
            if self._disk_space.is_short():
                with connection.in_use:
                    connection.set_busy_timeout(0)  # no waiting for readers under the process lock
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        with connection.in_use:
            logged, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        if logged - copied >= self._max_waiting_pages():  # a program has a snapshot open
            self._background.pause(PAUSE_S)

    def _preallocate(self, logged: int, connection: Connection, process_lock: ProcessLock) -> None:
        ahead = self._disk_space.free_bytes() // PAGE_BYTES // PREALLOCATED_DIVISOR
        pages = min(KEPT_PAGES, 2 * logged + STEP_PAGES, logged + ahead)
        # Before the work: if the disk is full, each commit would start it again.
        self._preallocate_at = (
            max(pages - STEP_PAGES, logged + FIRST_PAGES) if pages < KEPT_PAGES else AUTOCHECKPOINT_PAGES
        )
        preallocate(self._path, pages, connection, process_lock)


def _warn(error: Exception) -> None:
    logger.warning(
        "A checkpoint of the write-ahead log failed: %s. Nothing is lost, and the log grows. If this lasts, "
        "commits will fail once the log holds %d pages",
        error,
        AUTOCHECKPOINT_PAGES,
    )


def excess_bytes(wal: Path) -> int:
    """Return by how much the file of a log is longer than its kept length."""
    return max(0, size_bytes(wal) - KEPT_PAGES * PAGE_BYTES)


def checkpoint(connection: Connection) -> None:
    """Copy the pages of the log into the database file. Outside the process lock others may commit meanwhile.

    Raises:
      apsw.BusyError: another process makes a checkpoint.
    """
    with connection.in_use:
        # A connection that has read nothing yet has no log open, and would copy nothing.
        connection.pragma("schema_version")
        connection.wal_checkpoint()


def preallocate(path: Path, pages: int, connection: Connection, process_lock: ProcessLock) -> None:
    """Give the log's file its length on the disk, with zeros at its end.

    SQLite ignores the zeros, as it ignores the rest of an older log: each page carries a checksum of all
    pages before it, and the log ends at the first page whose checksum does not fit.

    Parameters:
      path: the log. Closing it here drops no lock: SQLite has those on two other files.
      pages: the length that the file gets.
      connection: one that no other thread uses.
      process_lock: not the one of this process's writer.

    Raises:
      OSError: the disk is full, or fails.
    """
    length = pages * PAGE_BYTES
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        while os.fstat(file).st_size < length:
            with process_lock, _no_other_writer(connection):
                end = os.fstat(file).st_size  # again: the file may have grown since
                os.pwrite(file, _ZEROS[: max(0, length - end)], end)
            sync_to_disk()(file)
    finally:
        os.close(file)


@contextmanager
def _no_other_writer(connection: Connection) -> Iterator[None]:
    """Keep out programs that do not know the process lock: a shell, a backup that is restored."""
    with connection.in_use:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
