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
from pathlib import Path
from typing import Any

from .system_calls import libc

#: A file, as the kernel tells it from all others: inode, and the device's major and minor number. The
#: identity is written into the run directory, so it is the same whichever call has found it.
Identity = tuple[int, int, int]

#: From fcntl.h: a relative path starts at the current directory.
_AT_FDCWD = -100

#: The basic fields, from linux/stat.h, whose layout is the same on all architectures.
_STATX_BASIC_STATS = 0x7FF
_BUFFER_BYTES = 256
_INODE_SIZE_AND_DEVICE = struct.Struct("=32xQQ88xII")
_MTIME = struct.Struct("=112xqI")

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
        self._arguments = (
            ctypes.c_int(_AT_FDCWD),
            ctypes.c_char_p(os.fsencode(path)),
            ctypes.c_int(0),
            ctypes.c_uint(_STATX_BASIC_STATS),
            ctypes.byref(self._buffer),
        )
        self._statx = _statx_function()

    def identity(self, *, unless_empty: bool = False) -> Identity | None:
        """Return which file lies there now; None where there is none.

        Parameters:
          unless_empty: return None for an empty file, too.

        Raises:
          OSError: the directory cannot be searched, or the like.
        """
        try:
            status = self._fill_buffer()
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
        status = self._fill_buffer()
        if status is not None:
            return status.st_mtime_ns
        seconds, nanoseconds = _MTIME.unpack_from(self._buffer)
        modified_ns: int = seconds * 1_000_000_000 + nanoseconds
        return modified_ns

    def _fill_buffer(self) -> os.stat_result | None:
        """Read the status into the buffer; without statx return it instead."""
        if self._statx is not None:
            if self._statx(*self._arguments) == 0:
                return None
            code = ctypes.get_errno()
            if code not in _REFUSED:
                raise OSError(code, os.strerror(code), str(self._path))
            self._statx = None
        return self._path.stat()
