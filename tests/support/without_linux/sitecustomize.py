"""Hides the system calls of Linux, as macOS lacks them, from a Python that has this directory on its path.

Python imports this module when it starts, and its children do so too.
"""

from __future__ import annotations

import ctypes
import os
import select
from contextlib import suppress
from typing import Any

#: Functions that the C library of another system lacks, or offers in another form.
OF_LIBC = frozenset({"statx", "sync_file_range", "flock", "prctl", "fallocate", "renameat2"})

#: Functions of Python's that are there on Linux alone.
OF_PYTHON = {
    os: ("fdatasync", "posix_fadvise", "posix_fallocate", "memfd_create", "eventfd", "pidfd_open", "pipe2"),
    select: ("epoll",),
}

#: How a library of ctypes finds a function.
_FINDER = "__getattr__"
_find = getattr(ctypes.CDLL, _FINDER)


def _find_unless_hidden(library: ctypes.CDLL, name: str) -> Any:
    if name in OF_LIBC:
        raise AttributeError(f"{name}: symbol not found")
    return _find(library, name)


setattr(ctypes.CDLL, _FINDER, _find_unless_hidden)
for module, names in OF_PYTHON.items():
    for each in names:
        with suppress(AttributeError):
            delattr(module, each)
