"""The run directory, which belongs to one supervisor as long as that lives."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ..errors import AlreadyRunning, RunDirectoryUnusable

_LOCK = "supervisor.lock"


class RunDirectory:
    """Takes a run directory by a lock. The kernel drops the lock when its holder dies.

    Parameters:
      path: the directory. It is made when missing.

    Attributes:
      path: the directory.

    Raises:
      AlreadyRunning: another living supervisor has the directory.
      RunDirectoryUnusable: the directory cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_fd = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RunDirectoryUnusable(path, error) from error
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.pread(self._lock_fd, 32, 0).decode().strip()
            os.close(self._lock_fd)
            raise AlreadyRunning(path, pid) from None
        os.truncate(self._lock_fd, 0)
        os.pwrite(self._lock_fd, f"{os.getpid()}\n".encode(), 0)

    def close(self) -> None:
        """Release the lock. Its file stays: if it were removed, two supervisors could each lock one."""
        os.close(self._lock_fd)
