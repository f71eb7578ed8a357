"""Keeping the write-ahead log in shape, beside the commits.

A checkpoint of a full log takes some 40 ms, most of it the disk's. Were it made by whoever commits, inside
the gate, nobody's message could be stored meanwhile. So a thread of its own copies the log outside the gate.
What was committed since then it copies inside, which takes a few milliseconds, and with nothing left to copy
the next commit begins the log anew.

A commit that makes the log's file longer takes half as long again, because the file system has to commit too.
So the file keeps its length, and until it has that the thread makes it longer, a step ahead of the commits.

On a disk with little room all of this is smaller, so that several logs leave room for the databases: what is
in a log can only be copied while there is room for it, and no log begins anew before it is copied.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import apsw

from .errands import Errands
from .gate import Gate
from .room import Room

if TYPE_CHECKING:
    from .connection import Connection

logger = logging.getLogger(__name__)

PAGE_BYTES = 4096

#: The log is copied when so many of its pages are not. Larger than SQLite's 1,000: it halves the fsyncs of
#: the database file.
PAGES = 4_000

#: What comes in while it is copied, under a heavy load, and the length at which the file is kept.
KEPT_PAGES = PAGES + 1_000

#: With so many pages in the log the commit that adds one copies them itself. It comes to that only when
#: copying cannot keep up, or when somebody keeps a snapshot open: the log cannot begin anew before that ends.
MOST_PAGES = 4 * PAGES

#: The file is first made longer when there are so many pages in the log: a passer-by's message is no reason.
FIRST_PAGES = 64

#: Which share of the free space may wait in the log to be copied, and which is taken ahead of the commits.
WAITING_SHARE, AHEAD_SHARE = 8, 16

#: With less room than so many times the reserve the commit that fills the log copies it itself.
TIGHT_SHARE = 2.0

#: How far ahead of the commits at least, in pages, and what is written at a time.
STEP_PAGES = 256
_ZEROS = bytes(STEP_PAGES * PAGE_BYTES)

#: How long to rest when there was nothing to gain, in seconds: another process is at it, or a snapshot open.
REST_S = 0.1


class WriteAheadLog:
    """Has done what the log needs.

    Parameters:
      database: the database file.
      connect: opens a connection of the thread's own.
      run_directory: where the gate is.
      room: of the disk.
    """

    def __init__(
        self, database: Path, connect: Callable[[], Connection], run_directory: Path, room: Room
    ) -> None:
        self._path = path_of_log(database)
        self._room = room
        self._connect = connect
        self._run_directory = run_directory
        self._longer_at = FIRST_PAGES
        self._errands = Errands("recado-write-ahead-log")

    def after_commit(self, connection: Connection) -> None:
        """Look how long the log is, which takes a microsecond. For one thread at a time.

        It never raises: what was committed before is committed.
        """
        try:
            logged, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
            if logged - copied >= self._most_waiting():
                is_tight = self._room.is_short(share=TIGHT_SHARE)
                if is_tight:
                    connection.wal_checkpoint()  # here and now: by another thread it might come too late
                if not is_tight or self._room.is_short():  # then it is cut as well
                    self._errands.begin(partial(self._run, self._copy))
            elif logged >= self._longer_at:
                self._errands.begin(partial(self._run, partial(self._lengthen, logged)))
        except apsw.BusyError:
            return  # another process is writing to the log's index: the next commit will look
        except (apsw.Error, OSError, RuntimeError) as error:  # RuntimeError: there can be no more threads
            _complain(error)

    def make_room(self) -> None:
        """Copy the log, and give back what it takes, since the disk is full. It never raises."""
        try:
            self._errands.begin(partial(self._run, self._copy))
        except RuntimeError as error:
            _complain(error)

    def _most_waiting(self) -> int:
        """How many pages may wait to be copied."""
        free_pages = self._room.free_bytes() // PAGE_BYTES
        return min(PAGES, max(FIRST_PAGES, free_pages // WAITING_SHARE))

    def close(self) -> None:
        """Wait for what is going on. If it goes on still, it has its own connection, and disturbs nobody."""
        self._errands.close()

    def _run(self, work: Callable[[Connection, Gate], None]) -> None:
        try:
            # Both its own: the writer's file descriptors would not exclude it, and its connection is in use.
            with closing(self._connect()) as connection, closing(Gate(self._run_directory)) as gate:
                work(connection, gate)
        except apsw.BusyError:
            self._errands.rest(REST_S)
        except (apsw.Error, OSError) as error:
            _complain(error)
            self._errands.rest(REST_S)

    def _copy(self, connection: Connection, gate: Gate) -> None:
        copy_log(connection)
        with gate:
            copy_log(connection)
            if self._room.is_short():
                with connection.in_use:
                    connection.set_busy_timeout(0)  # what reads is not waited for in here
                    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        with connection.in_use:
            logged, copied = connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_NOOP)
        if logged - copied >= self._most_waiting():  # somebody has a snapshot open
            self._errands.rest(REST_S)

    def _lengthen(self, logged: int, connection: Connection, gate: Gate) -> None:
        ahead = self._room.free_bytes() // PAGE_BYTES // AHEAD_SHARE
        pages = min(KEPT_PAGES, 2 * logged + STEP_PAGES, logged + ahead)
        # Before it is done: should the disk be full, each commit would try again.
        self._longer_at = max(pages - STEP_PAGES, logged + FIRST_PAGES) if pages < KEPT_PAGES else MOST_PAGES
        lengthen(self._path, pages, connection, gate)


def _complain(error: Exception) -> None:
    """Nothing is lost, the log only grows: should it last, the commits at MOST_PAGES will fail."""
    logger.warning("The write-ahead log could not be looked after: %s", error)


def path_of_log(database: Path) -> Path:
    """The log of a database file."""
    return database.with_name(database.name + "-wal")


def size_of(path: Path) -> int:
    """Size of a file, in bytes; 0 while there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def excess_bytes(log: Path) -> int:
    """By how much a log is longer than it is kept."""
    return max(0, size_of(log) - KEPT_PAGES * PAGE_BYTES)


def copy_log(connection: Connection) -> None:
    """Copy what is in the log into the database file. Outside the gate others may commit meanwhile.

    Raises:
      apsw.BusyError: another process does.
    """
    with connection.in_use:
        connection.pragma("schema_version")  # before it has read, it has no log, and would copy nothing
        connection.wal_checkpoint()


def lengthen(path: Path, pages: int, connection: Connection, gate: Gate) -> None:
    """Give the log's file its place on the disk, with zeros at its end.

    They say nothing to SQLite, as what is left of an older log does not: each page carries a checksum of all
    before it, and the log ends at the first that does not fit.

    Parameters:
      path: the log. Closing it here drops no lock: SQLite has those on two other files.
      pages: how long it shall be.
      connection: one that nobody else uses.
      gate: not the one of this process's writer.

    Raises:
      OSError: the disk is full, or fails.
    """
    length = pages * PAGE_BYTES
    file = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        while os.fstat(file).st_size < length:
            with gate, _nobody_writes(connection):
                end = os.fstat(file).st_size  # anew: it may have grown since
                os.pwrite(file, _ZEROS[: max(0, length - end)], end)
            os.fdatasync(file)
    finally:
        os.close(file)


@contextmanager
def _nobody_writes(connection: Connection) -> Iterator[None]:
    """Also nobody who does not know the gate: a shell, a backup that is restored."""
    with connection.in_use:
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")
