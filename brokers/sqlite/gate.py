"""A fair turn at the database for every process."""

from __future__ import annotations

import ctypes
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from ..errors import EngineError
from ..forks import abandon_in_children, closed, opening
from .modes import mode_in

#: Between two tries to enter without queueing, in seconds.
RETRY_S = 0.01

#: flock(2) called without letting go of the GIL. `fcntl.flock` lets go even when it need not wait, and in a
#: process with busy threads winning the GIL back takes a thousand times longer than the call.
_flock = ctypes.PyDLL(None).flock

#: What it is asked for: to lock without waiting, and to unlock.
_TRY = fcntl.LOCK_EX | fcntl.LOCK_NB
_UNLOCK = fcntl.LOCK_UN


class Gate:
    """Taken before each write transaction, so that processes queue in the kernel instead of polling.

    SQLite's own busy handler polls with growing sleeps, and an unlucky process starves (measured: 8
    writers, one got 99 commits while another got 6,879). A single blocking flock is fair but hands over
    slowly. Two in a row keep exactly one process waiting at the inner door, awake and next, while the
    rest queue at the outer one.

    A process that dies holds nothing: the kernel drops its locks.

    Parameters:
      directory: where the two lock files live. It must exist.
    """

    def __init__(self, directory: Path) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        mode = mode_in(directory)
        self._outer = self._inner = -1
        with opening:
            abandon_in_children(self)
            self._outer = os.open(directory / "gate.outer", flags, mode)
            self._inner = os.open(directory / "gate.inner", flags, mode)

    def try_enter(self) -> bool:
        """Enter if nobody is inside, or at the inner door. Whoever got True calls `leave`."""
        if _flock(self._outer, _TRY) != 0:
            return False  # someone waits already: no pushing in
        try:
            is_inside: bool = _flock(self._inner, _TRY) == 0
        finally:  # an interrupt must not leave the door shut
            _flock(self._outer, _UNLOCK)
        return is_inside

    def enter_within(self, timeout_s: float) -> None:
        """Enter, or give up: for callers who may not wait for ever.

        Raises:
          EngineError: whoever is inside stayed there; a stopped process does.
        """
        deadline = time.monotonic() + timeout_s
        while not self.try_enter():
            if time.monotonic() >= deadline:
                raise EngineError(f"Another process has kept the database to itself for {timeout_s:g} s")
            time.sleep(RETRY_S)

    def leave(self) -> None:
        """Let the next one in."""
        _flock(self._inner, _UNLOCK)

    def __enter__(self) -> None:
        _lock(self._outer)
        _lock(self._inner)
        _flock(self._outer, _UNLOCK)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    def close(self) -> None:
        """Leave, if inside, and let go of the files."""
        with opening:
            self._outer, self._inner = closed(self._outer), closed(self._inner)

    def abandon(self) -> None:
        """In a forked child: it shares the locks, and were the parent to die inside, would keep them."""
        self.close()


def _lock(fd: int) -> None:
    if _flock(fd, _TRY) != 0:
        fcntl.flock(fd, fcntl.LOCK_EX)  # someone has it: now waiting without the GIL is right
