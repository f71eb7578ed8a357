"""Reads which file lies at a path, without letting go of the GIL.

`os.stat` lets go of the GIL, and in a process with busy threads winning it back takes a thousand times longer
than the call itself. The status of a file is in the kernel's memory, not on a slow disk. On systems without
statx(2), `os.stat` answers instead: slower, and the same.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import struct
import time
from pathlib import Path
from typing import Any

from .system_calls import libc

#: A file, as the kernel tells it from all others: inode, and the device's major and minor number. The
#: identity is written into the run directory, so it is the same whichever call has found it.
Identity = tuple[int, int, int]

#: From fcntl.h: a relative path starts at the current directory.
_AT_FDCWD = -100

#: The fields that are asked for, from linux/stat.h, whose layout is the same on all architectures.
#:
#: A look after each commit must not ask for the file's times. Since Linux 6.13 the kernel notes that they
#: were asked for; then the next write changes them, and the sync has the disk write the file's inode, too.
#: That was a quarter of the time of a commit.
_STATX_INODE_AND_SIZE = 0x100 | 0x200
_STATX_MTIME = 0x40
_BUFFER_BYTES = 256
_INODE_SIZE_AND_DEVICE = struct.Struct("=32xQQ88xII")
_MTIME = struct.Struct("=112xqI")

#: How old a change of a directory has to be before it is taken for the last one, in nanoseconds: file times
#: have a coarse grain, so a second change can carry the same time.
_SETTLED_NS = 50_000_000

#: The errors by which an old kernel, or a sandbox that does not know the call, refuses statx itself.
_REFUSED = frozenset({errno.ENOSYS, errno.EPERM})


@functools.cache
def _statx_function() -> Any:
    return libc("statx", keeps_gil=True)


class FileStatus:
    """Reads the status of one path again and again.

    Threads may share it. statx keeps the GIL, so the buffer it fills is whole. A thread that is overtaken
    between the call and the reading of the buffer reads what the other thread's call has found, which is
    newer.

    Parameters:
      path: absolute.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._buffer = ctypes.create_string_buffer(_BUFFER_BYTES)
        # Converted once: ctypes would take a third of the call's time to convert them anew.
        where = (ctypes.c_int(_AT_FDCWD), ctypes.c_char_p(os.fsencode(path)), ctypes.c_int(0))
        buffer = ctypes.byref(self._buffer)
        self._for_identity = (*where, ctypes.c_uint(_STATX_INODE_AND_SIZE), buffer)
        self._for_mtime = (*where, ctypes.c_uint(_STATX_MTIME), buffer)
        self._statx = _statx_function()

    def identity(self, *, unless_empty: bool = False) -> Identity | None:
        """Return which file lies there now; None where there is none.

        Parameters:
          unless_empty: return None for an empty file, too.

        Raises:
          OSError: the directory cannot be searched, or the like.
        """
        try:
            status = self._fill_buffer(self._for_identity)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if status is not None:
            inode, size, device = status.st_ino, status.st_size, status.st_dev
            identity = (inode, os.major(device), os.minor(device))
        else:
            inode, size, major, minor = _INODE_SIZE_AND_DEVICE.unpack_from(self._buffer)
            identity = (inode, major, minor)
        return None if unless_empty and not size else identity

    def modified_ns(self) -> int:
        """Return when the file was last modified, in nanoseconds since the epoch.

        Raises:
          OSError: FileNotFoundError and the like.
        """
        status = self._fill_buffer(self._for_mtime)
        if status is not None:
            return status.st_mtime_ns
        seconds, nanoseconds = _MTIME.unpack_from(self._buffer)
        modified_ns: int = seconds * 1_000_000_000 + nanoseconds
        return modified_ns

    def _fill_buffer(self, arguments: tuple[Any, ...]) -> os.stat_result | None:
        """Read the status into the buffer; without statx return it instead."""
        if self._statx is not None:
            if self._statx(*arguments) == 0:
                return None
            code = ctypes.get_errno()
            if code not in _REFUSED:
                raise OSError(code, os.strerror(code), str(self._path))
            self._statx = None
        return self._path.stat()


class DirectoryChanges:
    """Tells at the price of one call that no file of a directory was created, deleted or renamed.

    Parameters:
      directory: absolute.
    """

    def __init__(self, directory: Path) -> None:
        self._status = FileStatus(directory)
        self._known_ns = -1

    def latest(self) -> int | None:
        """Return when the latest change was, in nanoseconds since the epoch; None when that is known.

        Raises:
          OSError: FileNotFoundError and the like.
        """
        modified_ns = self._status.modified_ns()
        return None if modified_ns == self._known_ns else modified_ns

    def know(self, modified_ns: int) -> None:
        """Note that a change is known: since it was asked for, each file in question was looked at.

        A change that is so young that another one can carry the same time is not noted.
        """
        if time.time_ns() - modified_ns > _SETTLED_NS:
            self._known_ns = modified_ns
