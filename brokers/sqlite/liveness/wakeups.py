"""Wakes the waiting consumers of other processes: a byte in a FIFO says "look for messages".

A wake-up is a hint, not a promise. A wake-up is sent just after the commit, may come for nothing, and may
be lost: then the consumers' slow poll finds the message. Only processes with a waiting consumer are
notified.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from contextlib import suppress
from pathlib import Path

from ...forks import abandon_in_children, closed, opening
from ..storage.file_modes import mode_in
from ..storage.statx import DirectoryChanges
from .process_registry import Peer, ProcessEntry, peers

logger = logging.getLogger(__name__)


class WakeupReceiver:
    """This process's FIFO, which other processes write to, and the consumers that wait for it.

    Parameters:
      entry: this process's file; the FIFO lies beside it.
    """

    def __init__(self, entry: ProcessEntry) -> None:
        self._path = entry.path.with_suffix(".fifo")
        os.mkfifo(self._path, mode_in(self._path.parent))
        with opening:
            # For writing too: so it never reports an end of file when the last writer leaves.
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            abandon_in_children(self)
        self._changed = threading.Condition()
        self._count = 0

    def listen(self, timeout_s: float) -> None:
        """Block until another process writes to the FIFO, and notify the consumers of this one."""
        if select.select([self._fd], [], [], timeout_s)[0]:
            with suppress(BlockingIOError):
                os.read(self._fd, 65536)
            self.notify()

    def interrupt(self) -> None:
        """End a `listen` that is going on."""
        with suppress(BlockingIOError):  # full: `listen` ends anyway
            os.write(self._fd, b"!")

    def notify(self) -> None:
        """Wake the consumers of this process."""
        with self._changed:
            self._count += 1
            self._changed.notify_all()

    def count(self) -> int:
        """Return how many wake-ups came so far: read before looking for messages, for `wait` after."""
        return self._count

    def wait(self, count: int, timeout_s: float) -> None:
        """Block until a wake-up comes after the first `count`, at most `timeout_s` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._count != count, timeout_s)

    def close(self) -> None:
        """Remove the FIFO."""
        self._path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """Close the inherited end in a forked child, and leave the parent's FIFO where it is."""
        with opening:
            self._fd = closed(self._fd)


class WakeupSender:
    """The FIFOs of all other processes.

    Parameters:
      directory: the run directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._changes = DirectoryChanges(directory)
        self._receivers: list[tuple[Peer, int]] = []

    def notify_waiting(self, own: int | None) -> None:
        """Notify every other process that has a consumer waiting. For one thread at a time.

        Parameters:
          own: the owner of this process, when it consumes.
        """
        try:
            self._list_receivers(own)
        except OSError as error:
            # Too many open files, or the directory is gone.
            logger.warning(
                "Other processes cannot be woken: each finds the message with its next poll: %s", error
            )
            self.close()
        for peer, fifo in self._receivers:
            if peer.is_waiting():
                # Full: the process has not even read the last hints. No reader: it died, and its file goes
                # soon.
                with suppress(BlockingIOError, BrokenPipeError):
                    os.write(fifo, b"!")

    def _list_receivers(self, own: int | None) -> None:
        change = self._changes.latest()
        if change is None:
            return
        self.close()
        for peer in peers(self._directory, own):
            with opening:
                try:
                    fifo = os.open(peer.path.with_suffix(".fifo"), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                except OSError:  # no FIFO yet, or no reader: the process is starting, leaving or dead
                    peer.close()
                else:
                    self._receivers.append((peer, fifo))
        self._changes.know(change)

    def close(self) -> None:
        """Close the FIFOs."""
        with opening:
            receivers, self._receivers = self._receivers, []
            for peer, fifo in receivers:
                peer.close()
                os.close(fifo)
