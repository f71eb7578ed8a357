"""Lets one process at a time write to a database, in fair turns."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from ...errors import EngineError
from ...forks import abandon_in_children, closed, opening
from .file_modes import mode_in
from .system_calls import flock_function

#: The pause between two tries to acquire the lock without queueing, in seconds.
RETRY_S = 0.01

_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB
_UNLOCK = fcntl.LOCK_UN


class ProcessLock:
    """A lock that a process acquires before each write transaction: processes queue in the kernel.

    SQLite's own busy handler polls with growing sleeps, and an unlucky process starves (measured: 8
    writers, one got 99 commits while another got 6,879). A single blocking flock is fair, but hands over
    slowly. So there are two, taken in a row: one process waits for the inner lock, awake and next, and all
    others wait for the outer.

    The kernel drops the locks of a process that dies. Two objects exclude each other in one process, too.

    Parameters:
      directory: holds the two lock files; must exist.
    """

    def __init__(self, directory: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        mode = mode_in(directory)
        self._flock = flock_function()
        self._outer = self._inner = -1
        with opening:
            abandon_in_children(self)
            self._outer = os.open(directory / "gate.outer", flags, mode)
            self._inner = os.open(directory / "gate.inner", flags, mode)

    def try_acquire(self) -> bool:
        """Acquire the lock if no process has it or is next; a caller that got True calls `release`."""
        if self._flock(self._outer, _TRY) != 0:
            return False  # a process waits already: it is next
        try:
            is_acquired = self._flock(self._inner, _TRY) == 0
        finally:  # an interrupt must not leave the outer lock taken
            self._flock(self._outer, _UNLOCK)
        return is_acquired

    def acquire_within(self, timeout_s: float) -> None:
        """Acquire the lock, or give up after a time, in seconds.

        Raises:
          EngineError: the process that has the lock kept it; a stopped process does.
        """
        deadline = time.monotonic() + timeout_s
        while not self.try_acquire():
            if time.monotonic() >= deadline:
                raise EngineError(f"Another process has kept the database to itself for {timeout_s:g} s")
            time.sleep(RETRY_S)

    def release(self) -> None:
        """Let the next process have the lock."""
        self._flock(self._inner, _UNLOCK)

    def __enter__(self) -> None:
        self._acquire(self._outer)
        self._acquire(self._inner)
        self._flock(self._outer, _UNLOCK)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def _acquire(self, fd: int) -> None:
        if self._flock(fd, _TRY) != 0:
            fcntl.flock(fd, fcntl.LOCK_EX)  # another process has it: now to wait without the GIL is right

    def close(self) -> None:
        """Release the lock, if this object has it, and close the two files."""
        with opening:
            self._outer, self._inner = closed(self._outer), closed(self._inner)

    def abandon(self) -> None:
        """Close the two files in a forked child, which shares its parent's locks.

        A child that kept them open would hold the locks after the death of its parent.
        """
        self.close()
