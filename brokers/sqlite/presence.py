"""Which processes are alive, and what each of them is running.

Every process that consumes keeps one file in the run directory, locked for as long as it lives. The
kernel drops the lock the moment the process dies, however it dies, so a lock that can be taken is a
certain death, and a process that is merely stopped or slow keeps what it holds.

The file's content outlives its process too (a shared mapping survives kill -9), and says

    byte 0            1 while some consumer of this process waits for work: worth waking
    bytes 8 to 15     its process id
    from byte 64 on   16-byte slots: the key of a message being run (0: free), and since when (ms)

so that whoever takes over the dead process's messages knows which of them it was running, and which it
had only claimed.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import secrets
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ..backend import Lease
from ..forks import abandon_in_children, closed, opening
from .modes import mode_in

_HEADER = 64
_PID = struct.Struct("<q")
_PID_AT = 8
_SLOT = struct.Struct("<qq")
#: More worker threads in one process than anyone runs.
_SLOTS = 1024
_SIZE = _HEADER + _SLOTS * _SLOT.size


class Presence:
    """This process's own file.

    Parameters:
      directory: the run directory.

    Attributes:
      owner: this process's name in leases, random and never used twice.
    """

    def __init__(self, directory: Path) -> None:
        with opening:
            self.owner, self.path, self._fd = _claim_new_file(directory)
            self._memory = mmap.mmap(self._fd, _SIZE)
            abandon_in_children(self)
        _PID.pack_into(self._memory, _PID_AT, os.getpid())
        self._free = list(range(_SLOTS - 1, -1, -1))
        self._slots: dict[Lease, int] = {}
        self._waiting = 0
        self._lock = threading.Lock()

    def started(self, lease: Lease, now_ms: int) -> None:
        """A worker thread begins to run this message."""
        key, _ = lease
        slot = self._free.pop()  # list.pop is atomic
        self._slots[lease] = slot
        _SLOT.pack_into(self._memory, _HEADER + slot * _SLOT.size, key, now_ms)

    def finished(self, lease: Lease) -> None:
        """It no longer does; harmless for a message that never started."""
        slot = self._slots.pop(lease, None)
        if slot is not None:
            _SLOT.pack_into(self._memory, _HEADER + slot * _SLOT.size, 0, 0)
            self._free.append(slot)

    def waiting(self, change: int) -> None:
        """One consumer more (1) or fewer (-1) waits for work."""
        with self._lock:
            self._waiting += change
            self._memory[0] = 1 if self._waiting else 0

    def close(self) -> None:
        """Leave. Another process finds nothing to take over."""
        self.path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """In a forked child: let go of the lock, which belongs to the parent, without releasing it."""
        with opening:
            self._memory.close()  # which has a file descriptor of its own, and so would keep the lock
            self._fd = closed(self._fd)


class Peer:
    """Another process's file, looked at without its help.

    Parameters:
      path: its file in the run directory.

    Raises:
      FileNotFoundError: it left meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = int(path.stem, 16)
        with opening:
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                self._memory = mmap.mmap(self._fd, _SIZE)
            except ValueError:  # not yet at its full size: its owner is just arriving
                os.close(self._fd)
                raise FileNotFoundError(path) from None
            abandon_in_children(self)

    @property
    def pid(self) -> int:
        return int(_PID.unpack_from(self._memory, _PID_AT)[0])

    def is_waiting(self) -> bool:
        return self._memory[0] == 1

    def is_dead(self) -> bool:
        """Whether its owner died. True at most once over all processes: the answer holds its lock."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def running(self) -> list[int]:
        """The keys of the messages it runs, or ran when it died."""
        pairs = _SLOT.iter_unpack(self._memory[_HEADER:_SIZE])
        return [key for key, _ in pairs if key]

    def close(self) -> None:
        with opening:
            self._memory.close()
            self._fd = closed(self._fd)

    def abandon(self) -> None:
        """In a forked child: it may have been found dead, and the child would go on holding its lock."""
        self.close()


def peers(directory: Path, own: int | None) -> Iterator[Peer]:
    """Every other process that has a file there, dead or alive."""
    for path in directory.glob("*.lock"):
        if own is None or path.stem != f"{own:016x}":
            with suppress(FileNotFoundError, ValueError):  # it left, or it is no file of ours
                yield Peer(path)


def _claim_new_file(directory: Path) -> tuple[int, Path, int]:
    while True:
        owner = secrets.randbits(63) or 1
        path = directory / f"{owner:016x}.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode_in(directory))
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.pwrite(fd, bytes(_SIZE), 0)  # no hole: on a full disk, to write there by the mapping is fatal
        # Between open and flock someone may have taken the file for a dead process's and removed it.
        if path.exists():
            return owner, path, fd
        os.close(fd)
