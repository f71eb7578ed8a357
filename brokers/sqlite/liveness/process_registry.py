"""Records which processes are alive, and which messages each of them runs.

Each consuming process keeps one file in the run directory, and a lock on it for as long as it lives. The
kernel drops the lock the moment the process dies, however it dies. So a lock that can be taken proves a
death, and a process that is merely stopped or slow keeps its messages.

The content of the file outlives its process too (a shared mapping survives kill -9):

    byte 0            1 while a consumer of this process waits for messages: worth waking
    bytes 8 to 15     its process id
    from byte 64 on   16-byte slots: the key of a running message (0: free), and since when (milliseconds)

So the process that takes over a dead process's messages knows which of them were running, and which were
only claimed. A file begins with `SLOTS` slots, and grows by as many when more messages run at the same
time. A process of an older Recado reads only the first `SLOTS` of a longer file: a message beyond them is
given back as one that was only claimed.
"""

from __future__ import annotations

import fcntl
import logging
import mmap
import os
import secrets
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from ...forks import abandon_in_children, closed, opening
from ...records import Lease
from ..storage.file_modes import mode_in

logger = logging.getLogger(__name__)

_HEADER_BYTES = 64
_PID = struct.Struct("<q")
_PID_AT = 8
_SLOT = struct.Struct("<qq")

#: How many slots a file has at first, and by how many it grows.
SLOTS = 1024
_FIRST_BYTES = _HEADER_BYTES + SLOTS * _SLOT.size


class ProcessEntry:
    """This process's own file.

    Parameters:
      directory: the run directory.

    Attributes:
      owner: the name of this process in leases: random, and never used twice.
      path: the file.
    """

    def __init__(self, directory: Path) -> None:
        with opening:
            self.owner, self.path, self._fd = _make_file(directory)
            # One mapping for each length that the file has had. All show the same memory; the last is used.
            self._mappings = [mmap.mmap(self._fd, _FIRST_BYTES)]
            abandon_in_children(self)
        _PID.pack_into(self._mappings[0], _PID_AT, os.getpid())
        self._free = list(range(SLOTS - 1, -1, -1))
        self._slots: dict[Lease, int] = {}
        self._waiting = 0
        self._lock = threading.Lock()

    def started(self, lease: Lease, now_ms: int) -> None:
        """Record that a worker thread begins to run a message.

        If the file would have to grow and cannot, the message runs all the same. Should its process die, that
        does not count as a crash of this message.

        Parameters:
          lease: the message's key, and the token of this delivery.
          now_ms: the time, in milliseconds since the epoch.
        """
        key, _ = lease
        try:
            slot = self._free.pop()  # list.pop is atomic
        except IndexError:
            try:
                slot = self._grow()
            except (OSError, ValueError) as error:  # ValueError: this entry is closed
                logger.warning("A message runs unrecorded, so its crash would not be counted: %s", error)
                return
        self._slots[lease] = slot
        _SLOT.pack_into(self._mappings[-1], _HEADER_BYTES + slot * _SLOT.size, key, now_ms)

    def finished(self, lease: Lease) -> None:
        """Record that the message no longer runs; harmless for a message that never started."""
        slot = self._slots.pop(lease, None)
        if slot is not None:
            _SLOT.pack_into(self._mappings[-1], _HEADER_BYTES + slot * _SLOT.size, 0, 0)
            self._free.append(slot)

    def add_waiting(self, change: int) -> None:
        """Record that one consumer more (1) or fewer (-1) of this process waits for messages."""
        with self._lock:
            self._waiting += change
            self._mappings[0][0] = 1 if self._waiting else 0

    def close(self) -> None:
        """Remove the file. Another process finds nothing to take over."""
        self.path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Close the file in a forked child, without releasing the lock, which belongs to the parent."""
        with opening:
            for mapping in self._mappings:
                mapping.close()  # each has a file descriptor of its own, which would keep the lock
            self._fd = closed(self._fd)

    def _grow(self) -> int:
        """Make the file longer, and return one of its free slots."""
        with opening, self._lock:
            with suppress(IndexError):
                return self._free.pop()  # another thread has made the file longer, or has ended a message
            begin = len(self._mappings[-1])
            end = begin + SLOTS * _SLOT.size
            _write_zeros(self._fd, begin, end)
            self._mappings.append(mmap.mmap(self._fd, end))
            first = (begin - _HEADER_BYTES) // _SLOT.size
            self._free += range(first + SLOTS - 1, first, -1)
            return first


class Peer:
    """Another process's file, read without its help.

    Parameters:
      path: the file in the run directory.

    Raises:
      FileNotFoundError: the process left meanwhile.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.owner = int(path.stem, 16)
        with opening:
            self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                self._memory = mmap.mmap(self._fd, _FIRST_BYTES)
            except ValueError:  # not yet at its first length: its process is just starting
                os.close(self._fd)
                raise FileNotFoundError(path) from None
            abandon_in_children(self)

    @property
    def pid(self) -> int:
        """The process's id."""
        return int(_PID.unpack_from(self._memory, _PID_AT)[0])

    def is_waiting(self) -> bool:
        """Return whether a consumer of the process waits for messages."""
        return self._memory[0] == 1

    def is_dead(self) -> bool:
        """Return whether the process died. True for one caller only: the answer holds the lock."""
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def running(self) -> list[int]:
        """Return the keys of the messages that the process runs, or ran when it died."""
        # Not from the mapping: the file may have grown since.
        slots = os.pread(self._fd, os.fstat(self._fd).st_size, 0)[_HEADER_BYTES:]
        whole = len(slots) - len(slots) % _SLOT.size
        return [key for key, _ in _SLOT.iter_unpack(slots[:whole]) if key]

    def close(self) -> None:
        """Close the file."""
        with opening:
            self._memory.close()
            self._fd = closed(self._fd)

    def abandon(self) -> None:
        """Close the file in a forked child, which would go on holding the lock of a dead process."""
        self.close()


def peers(directory: Path, own: int | None) -> Iterator[Peer]:
    """Iterate over the files of all other processes, dead or alive.

    Parameters:
      directory: the run directory.
      own: the owner to leave out: this process's own.
    """
    for path in directory.glob("*.lock"):
        if own is None or path.stem != f"{own:016x}":
            with suppress(FileNotFoundError, ValueError):  # its process left, or it is another program's file
                yield Peer(path)


def _make_file(directory: Path) -> tuple[int, Path, int]:
    while True:
        owner = secrets.randbits(63) or 1
        path = directory / f"{owner:016x}.lock"
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode_in(directory))
        fcntl.flock(fd, fcntl.LOCK_EX)
        _write_zeros(fd, 0, _FIRST_BYTES)
        # Between open and flock another process may have taken the file for a dead process's, and removed it.
        if path.exists():
            return owner, path, fd
        os.close(fd)


def _write_zeros(fd: int, begin: int, end: int) -> None:
    """Fill a part of the file. On a full disk, to write into a hole through a mapping would kill the process.

    Raises:
      OSError: the disk is full, or fails.
    """
    while begin < end:
        begin += os.pwrite(fd, bytes(end - begin), begin)
