"""Puts the write-ahead log onto the disk while other processes go on writing.

With `synchronous=FULL` SQLite syncs the log before a commit ends: the caller, and every process that wants to
write next, wait for the disk. With NORMAL a commit ends without a sync, and the caller syncs the log's file
afterwards, together with all that other processes have written to it before.

The rest SQLite does with NORMAL, too: it syncs the head of a log that begins anew, the directory of a new
log, and the log before a checkpoint copies anything out of it. See <https://www.sqlite.org/wal.html>.

A sync that failed cannot be tried again. The system may take for written a page that it could not write,
and the next sync succeeds without it (<https://wiki.postgresql.org/wiki/Fsync_Errors>). The log would have
a hole, and after a power cut SQLite would find nothing behind the hole. So after a failure all of the log
is written once more.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw

from ...forks import abandon_in_children, closed, opening
from .system_calls import libc, sync_to_disk

logger = logging.getLogger(__name__)

#: From fcntl.h: start to write, and wait for nothing but room in the disk's queue.
_SYNC_FILE_RANGE_WRITE = 2
_TO_THE_END = 0

#: The errors of a write that failed. With any other the file system does not have the call.
_COULD_NOT_WRITE = frozenset({errno.EIO, errno.ENOSPC, errno.EDQUOT})

#: How many bytes of the log are written once more at a time.
_CHUNK_BYTES = 1024 * 1024


@functools.cache
def _sync_file_range() -> Any:
    """Return sync_file_range(2), or None: then the disk starts with the sync, a little later."""
    return libc(
        "sync_file_range", ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint, keeps_gil=False
    )


class WalFsync:
    """Syncs one write-ahead log. For one thread at a time.

    Parameters:
      wal: the log's file, which exists for as long as a connection to its database is open. SQLite has no
        locks on this file that closing it here could drop.
      connection: one that writes to the database.

    Attributes:
      is_suspect: a sync failed, or may have failed. Nothing counts as stored before `rewrite` has succeeded.
    """

    def __init__(self, wal: Path, connection: apsw.Connection) -> None:
        with opening:
            self._fd = os.open(wal, os.O_RDWR | os.O_CLOEXEC)
            abandon_in_children(self)
        self._connection = connection
        self._start_write = _sync_file_range()
        self._sync = sync_to_disk()
        self.is_suspect = False

    def start(self) -> None:
        """Have the disk start to write the log. `finish` waits for the rest, and raises what fails."""
        if self._start_write is None:
            return
        failed = self._start_write(self._fd, 0, _TO_THE_END, _SYNC_FILE_RANGE_WRITE) != 0
        if failed and (code := ctypes.get_errno()) in _COULD_NOT_WRITE:
            self.suspect(OSError(code, os.strerror(code)))  # the kernel may not report it to the sync again

    def finish(self) -> None:
        """Return when all of the log is on disk, whichever process wrote it.

        Raises:
          OSError: the disk failed. Nothing counts as stored before `rewrite` has succeeded.
        """
        if self.is_suspect:
            raise OSError(errno.EIO, "The log could not be written")
        try:
            self._sync(self._fd)
        except OSError as error:
            self.suspect(error)
            raise

    def suspect(self, error: Exception) -> None:
        """Note that a sync failed, or may have failed."""
        self.is_suspect = True
        logger.warning(
            "The write-ahead log may not be whole on disk: %s. Nothing more is stored before all of it is "
            "written once more",
            error,
        )

    def rewrite(self) -> None:
        """Write all of the log to disk once more, as the system still has it, under the process lock.

        Raises:
          OSError, apsw.Error: the disk still fails. The next call tries again.
        """
        with suppress(OSError):  # each file descriptor reports a failed write once: take it now
            self._sync(self._fd)
        self._connection.execute("BEGIN IMMEDIATE")  # stops programs, too, that do not know the process lock
        try:
            end = 0
            while chunk := os.pread(self._fd, _CHUNK_BYTES, end):
                end += os.pwrite(self._fd, chunk, end)
        finally:
            self._connection.execute("ROLLBACK")
        self._sync(self._fd)
        self.is_suspect = False

    def close(self) -> None:
        """Close the log's file."""
        with opening:
            self._fd = closed(self._fd)

    def abandon(self) -> None:
        """Close the log's file in a forked child."""
        self.close()
