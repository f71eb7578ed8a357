"""Getting the write-ahead log onto the disk while other processes go on.

With `synchronous=FULL` SQLite syncs the log before a commit ends, and everybody waits for the disk: whoever
else wants to write, and whoever commits, with all that could be done meanwhile. With NORMAL a commit ends
without that, and whoever wants it on disk has the log's file synced afterwards, with all that others have
written to it before.

What that does not cover SQLite does with NORMAL too: it syncs the head of a log that begins anew, the
directory of a new one, and the log before anything is copied out of it. See <https://www.sqlite.org/wal.html>.

A sync that failed cannot be tried again: the system may take for written what it could not write, and the
next sync succeeds without it (<https://wiki.postgresql.org/wiki/Fsync_Errors>). The log would have a hole,
and after a power cut nothing behind it would be found. So all that is in the log is written once more first.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
from contextlib import suppress
from pathlib import Path

import apsw

from ..forks import abandon_in_children, closed, opening

logger = logging.getLogger(__name__)

#: See sync_file_range(2). It waits for nothing but room in the disk's queue.
_sync_file_range = ctypes.CDLL(None, use_errno=True).sync_file_range
_sync_file_range.argtypes = (ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint)

#: From fcntl.h: begin to write, and wait for nothing.
_SYNC_FILE_RANGE_WRITE = 2
_TO_ITS_END = 0

#: What it says when it could not write. Anything else: this file system has no such thing.
_COULD_NOT_WRITE = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT})

#: How much of the log is written once more at a time, in bytes.
_CHUNK_BYTES = 1024 * 1024


class LogSync:
    """Syncs one log. For one thread at a time.

    Parameters:
      log: the log's file, which is there for as long as a connection to its database is open. SQLite has no
        locks on it that closing it here could drop.
      connection: one that writes to it.

    Attributes:
      may_have_a_hole: a sync failed, or may have. Nothing counts as stored before the log was made whole.
    """

    def __init__(self, log: Path, connection: apsw.Connection) -> None:
        with opening:
            self._fd = os.open(log, os.O_RDWR | os.O_CLOEXEC)
            abandon_in_children(self)
        self._connection = connection
        self.may_have_a_hole = False

    def begin(self) -> None:
        """Have the disk begin with what was written. `finish` does what is left, and raises what fails."""
        failed = _sync_file_range(self._fd, 0, _TO_ITS_END, _SYNC_FILE_RANGE_WRITE) != 0
        if failed and (code := ctypes.get_errno()) in _COULD_NOT_WRITE:
            self.doubt(OSError(code, os.strerror(code)))  # which `fdatasync` may not tell once more

    def finish(self) -> None:
        """Return when all that was written is on disk, whoever wrote it.

        Raises:
          OSError: the disk failed. Nothing counts as stored before the log was made whole.
        """
        if self.may_have_a_hole:
            raise OSError(errno.EIO, "The log could not be written")
        try:
            os.fdatasync(self._fd)
        except OSError as error:
            self.doubt(error)
            raise

    def doubt(self, error: Exception) -> None:
        """A sync failed, or may have."""
        self.may_have_a_hole = True
        logger.warning("The write-ahead log may not be whole on disk, and is written once more: %s", error)

    def make_whole(self) -> None:
        """After a failure, have all of the log on disk, as the system still has it. Inside the gate.

        Raises:
          OSError, apsw.Error: the disk fails still. The next call tries again.
        """
        with suppress(OSError):  # each file descriptor tells once of what failed: hear it now
            os.fdatasync(self._fd)
        self._connection.execute("BEGIN IMMEDIATE")  # nobody writes, also nobody who does not know the gate
        try:
            end = 0
            while chunk := os.pread(self._fd, _CHUNK_BYTES, end):
                end += os.pwrite(self._fd, chunk, end)
        finally:
            self._connection.execute("ROLLBACK")
        os.fdatasync(self._fd)
        self.may_have_a_hole = False

    def close(self) -> None:
        with opening:
            self._fd = closed(self._fd)

    def abandon(self) -> None:
        """In a forked child: let go of the file."""
        self.close()
