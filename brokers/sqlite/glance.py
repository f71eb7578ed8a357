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
_INODE = struct.Struct("=Q")
_INODE_AT = 32
_MTIME = struct.Struct("=qI")
_MTIME_AT = 112

_statx = ctypes.PyDLL(None, use_errno=True).statx
_statx.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p)


class Glances:
    """Looks at one path again and again. For one thread at a time.

    Parameters:
      path: absolute.
    """

    def __init__(self, path: Path) -> None:
        self._path = os.fsencode(path)
        self._seen = ctypes.create_string_buffer(_SIZE)

    def inode(self) -> int:
        """Which file it is now.

        Raises:
          OSError: FileNotFoundError and the like.
        """
        self._look()
        inode: int = _INODE.unpack_from(self._seen, _INODE_AT)[0]
        return inode

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
