"""Wakes waiting consumers: a line in a process's FIFO says in which queue it should look for messages.

A wake-up is a hint, not a promise. A wake-up is sent just after the commit, may come for nothing, and may
be lost: then the consumers' slow poll finds the message. Only processes with a waiting consumer are
notified, and in a process only the consumers of those queues: each of the others would begin a transaction
for nothing.
"""

from __future__ import annotations

import logging
import os
import select
import threading
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue

from ...forks import abandon_in_children, closed, opening
from ..storage.file_modes import mode_in
from ..storage.statx import DirectoryChanges
from .process_registry import Peer, ProcessEntry, peers

logger = logging.getLogger(__name__)

#: In the place of a queue's name: all queues. It is what every process wrote before names were written.
ANY = "!"

#: So long is what one commit writes into a FIFO at most, in bytes; where it were longer, it is `ANY`.
LONGEST_BYTES = 512

#: Has a process so much to read, in bytes, its FIFO may have been full, and some name lost. A pipe holds a
#: page at least (pipe(7)).
PERHAPS_FULL_BYTES = 2_048


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
        self._counting = threading.Lock()
        self._counts: dict[str, int] = {ANY: 0}
        self._waiting: dict[SimpleQueue[None], str] = {}

    def listen(self, timeout_s: float) -> None:
        """Block until another process writes to the FIFO, and notify the consumers of this one."""
        if select.select([self._fd], [], [], timeout_s)[0]:
            lines = b""
            with suppress(BlockingIOError):
                lines = os.read(self._fd, 65536)
            self.notify(_read(lines))

    def interrupt(self) -> None:
        """End a `listen` that is going on."""
        with suppress(BlockingIOError):  # full: `listen` ends anyway
            os.write(self._fd, _written([ANY]))

    def notify(self, queues: Collection[str]) -> None:
        """Wake the consumers that this process has of these queues."""
        with self._counting:
            for queue in queues:
                self._counts[queue] = self._counts.get(queue, 0) + 1
        for waiting, queue in tuple(self._waiting.items()):
            if queue in queues or ANY in queues:
                waiting.put(None)

    def count(self, queue: str) -> int:
        """Return how many wake-ups for a queue came so far: read before the look, for the `wait` after it."""
        return self._counts.get(queue, 0) + self._counts[ANY]

    def wait(self, queue: str, count: int, timeout_s: float) -> None:
        """Block until a wake-up for a queue comes after the first `count`, at most `timeout_s` seconds."""
        # A queue of the standard library is woken by C code. A condition takes its lock again, in Python, and
        # a message waits for that. This thread first joins those that wait, then looks at the count; `notify`
        # counts first. So one of the two sees the other.
        waiting: SimpleQueue[None] = SimpleQueue()
        self._waiting[waiting] = queue
        try:
            if self.count(queue) == count and timeout_s > 0:
                with suppress(Empty):
                    waiting.get(timeout=timeout_s)
        finally:
            del self._waiting[waiting]

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

    def notify_waiting(self, queues: Collection[str], own: int | None) -> None:
        """Notify every other process that has a consumer waiting. For one thread at a time.

        Parameters:
          queues: in which it should look; `ANY` for all.
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
        lines = _written(queues)
        for peer, fifo in self._receivers:
            if peer.is_waiting():
                # Full: the process has not even read the last hints, and will look in all queues. No reader:
                # it died, and its file goes soon.
                with suppress(BlockingIOError, BrokenPipeError):
                    os.write(fifo, lines)

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


def _written(queues: Collection[str]) -> bytes:
    """Return what a FIFO is told: a line for each queue. A pipe takes so much whole, or not at all."""
    lines = "".join([f"{queue}\n" for queue in queues]).encode(errors="surrogateescape")
    is_plain = ANY not in queues and lines.count(b"\n") == len(queues) and len(lines) <= LONGEST_BYTES
    return lines if is_plain else f"{ANY}\n".encode()


def _read(lines: bytes) -> Collection[str]:
    """Return the queues that lines name, of which processes of other versions may have written some."""
    if ANY.encode() in lines or len(lines) >= PERHAPS_FULL_BYTES:
        return {ANY}
    return set(lines.decode(errors="surrogateescape").split("\n")) - {""}
