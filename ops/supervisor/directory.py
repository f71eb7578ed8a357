"""The run directory: one supervisor's, as long as it lives."""

from __future__ import annotations

import fcntl
import os
import socket
from contextlib import suppress
from pathlib import Path

from .errors import AlreadyRunning, RunDirectoryUnusable, Unreachable

_LOCK, _SOCKET = "supervisor.lock", "supervisor.sock"

#: How many may wait to be told the status.
_BACKLOG = 16


class RunDirectory:
    """Taken by a lock, which the kernel drops when its holder dies: what lies there from before is stale.

    Parameters:
      path: the directory; made when missing.

    Raises:
      AlreadyRunning: another living supervisor has it.
      RunDirectoryUnusable: it cannot be made or written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise RunDirectoryUnusable(path, error) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunning(path, os.pread(self._lock, 32, 0).decode().strip()) from None
        os.truncate(self._lock, 0)
        os.pwrite(self._lock, f"{os.getpid()}\n".encode(), 0)

    def listen(self) -> socket.socket:
        """The socket on which the status is asked for; its owner's alone."""
        (self.path / _SOCKET).unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listener.bind(_address(self._directory))
        finally:
            os.umask(before)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
        return listener

    def close(self) -> None:
        """Leave. The lock's file stays: to remove it would let two hold it."""
        with suppress(OSError):  # the directory was removed under us
            (self.path / _SOCKET).unlink(missing_ok=True)
        os.close(self._directory)
        os.close(self._lock)


def ask(path: Path, *, timeout_s: float) -> bytes:
    """What the supervisor of a run directory answers.

    Parameters:
      path: the directory.
      timeout_s: how long it may take, in seconds.

    Raises:
      Unreachable: nobody answers.
    """
    try:
        directory = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise Unreachable(path) from error
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(timeout_s)
            line.connect(_address(directory))
            while chunk := line.recv(65536):
                answer += chunk
    except OSError as error:
        raise Unreachable(path) from error
    finally:
        os.close(directory)
    return bytes(answer)


def _address(directory: int) -> str:
    """By way of the open directory: a socket's address has room for 107 bytes, and a path may be longer."""
    return f"/proc/self/fd/{directory}/{_SOCKET}"
