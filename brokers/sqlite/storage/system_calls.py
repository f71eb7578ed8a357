"""System calls that Python does not offer in the form needed here, or that some systems do not have.

A call is looked up when it is first needed, never at import. Where it is missing (macOS has no statx, no
sync_file_range and no fdatasync) a portable one takes its place and keeps the same promise.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import functools
import os
from collections.abc import Callable
from typing import Any

#: From fcntl.h of macOS: have the drive empty its cache, too. There fsync(2) alone does not wait for that.
#: None on systems whose fsync does it. See <https://www.sqlite.org/pragma.html#pragma_fullfsync>.
F_FULLFSYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)

#: The errors by which a file system says that it does not know F_FULLFSYNC.
_NO_FULL_FSYNC = frozenset({errno.ENOTSUP, errno.EINVAL, errno.ENOTTY})


def libc(name: str, *argtypes: Any, keeps_gil: bool) -> Any:
    """Look up a function of the C library; return None where there is no such function.

    Parameters:
      name: the function's name.
      argtypes: the types of its arguments; none where the caller passes objects of ctypes.
      keeps_gil: whether the calling thread keeps the GIL. In a process with busy threads winning the GIL back
        takes a thousand times longer than a call that need not wait.
    """
    library = ctypes.PyDLL(None, use_errno=True) if keeps_gil else ctypes.CDLL(None, use_errno=True)
    try:
        function = getattr(library, name)
    except AttributeError:
        return None
    if argtypes:
        function.argtypes = argtypes
    return function


@functools.cache
def flock_function() -> Callable[[int, int], int]:
    """Return flock(2): given a file descriptor and an operation, it returns 0, or -1 where it failed.

    It keeps the GIL where it can, so it is called only with LOCK_NB or LOCK_UN. `fcntl.flock`, which takes
    its place elsewhere, lets go of the GIL even when it need not wait.
    """
    return libc("flock", ctypes.c_int, ctypes.c_int, keeps_gil=True) or _flock_of_python


def _flock_of_python(fd: int, operation: int) -> int:
    try:
        fcntl.flock(fd, operation)
    except (OSError, ValueError):  # ValueError: a closed file descriptor, which libc's answers with EBADF
        return -1
    return 0


@functools.cache
def sync_to_disk() -> Callable[[int], None]:
    """Return the cheapest call that puts a file's content, and its length, onto the disk.

    Given a file descriptor, the call raises OSError where the disk failed.
    """
    if F_FULLFSYNC is not None:
        return _full_fsync
    return _fdatasync if hasattr(os, "fdatasync") else _fsync


def _fdatasync(fd: int) -> None:
    os.fdatasync(fd)  # looked up at each call: tests stand in for a disk that fails


def _fsync(fd: int) -> None:
    os.fsync(fd)


def _full_fsync(fd: int) -> None:
    try:
        fcntl.fcntl(fd, F_FULLFSYNC or 0)
    except OSError as error:
        if error.errno not in _NO_FULL_FSYNC:
            raise
        os.fsync(fd)
