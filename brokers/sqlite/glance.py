"""Looking at a file without letting go of the GIL.

`os.stat` lets go of it, and in a process with busy threads winning it back takes a thousand times longer than
the look itself. What is looked at here is in the kernel's memory, not on a slow disk.
"""

from __future__ import annotations

import ctypes
import os
import struct
from pathlib import Path

#: From fcntl.h: a relative path is of the current directory.
_AT_FDCWD = -100

#: The basic fields, from linux/stat.h, whose layout is the same on all architectures.
_STATX_BASIC_STATS = 0x7FF
_SIZE = 256
_INODE_AND_SIZE = struct.Struct("=QQ")
_INODE_AT = 32
_MTIME = struct.Struct("=qI")
_MTIME_AT = 112
_DEVICE = struct.Struct("=II")
_DEVICE_AT = 136

_statx = ctypes.PyDLL(None, use_errno=True).statx
_statx.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)


class Glances:
    """Looks at one path again and again.

    Threads may share it. The call keeps the GIL, so what it fills in is whole; a thread that is overtaken
    before it reads that, reads what the other has seen, which is newer.

    Parameters:
      path: absolute.
    """

    def __init__(self, path: Path) -> None:
        self._path = os.fsencode(path)
        self._seen = ctypes.create_string_buffer(_SIZE)

    def identity(self, *, unless_empty: bool = False) -> tuple[int, int, int] | None:
        """Which file it is now: inode and device. None where there is none.

        Parameters:
          unless_empty: give None for an empty file, too.

        Raises:
          OSError: the directory cannot be searched, or the like.
        """
        try:
            self._look()
        except (FileNotFoundError, NotADirectoryError):
            return None
        inode, size = _INODE_AND_SIZE.unpack_from(self._seen, _INODE_AT)
        if unless_empty and not size:
            return None
        return (inode, *_DEVICE.unpack_from(self._seen, _DEVICE_AT))

    def changed_ns(self) -> int:
        """When it was last changed.

        Raises:
          OSError: FileNotFoundError and the like.
        """
        self._look()
        seconds, nanoseconds = _MTIME.unpack_from(self._seen, _MTIME_AT)
        changed_ns: int = seconds * 1_000_000_000 + nanoseconds
        return changed_ns

    def _look(self) -> None:
        if _statx(_AT_FDCWD, self._path, 0, _STATX_BASIC_STATS, self._seen) != 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), os.fsdecode(self._path))
