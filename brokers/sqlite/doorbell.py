"""Wake-ups between processes: a byte in a FIFO says "look again".

A hint, not a promise: it is sent just after the commit, may come for nothing, and may be lost, in which case
the consumers' slow poll finds the message. Only processes with a waiting consumer are rung.
"""

from __future__ import annotations

import logging
import os
import select
import threading
import time
from contextlib import suppress
from pathlib import Path

from ..forks import abandon_in_children, closed, opening
from .glance import Glances
from .modes import mode_in
from .presence import Peer, Presence, peers

logger = logging.getLogger(__name__)

#: How long a list of peers is trusted after the directory changed: file times have a coarse grain.
_SETTLE_NS = 50_000_000


class Doorbell:
    """This process's own bell, which other processes ring.

    Parameters:
      presence: this process's file; the FIFO stands beside it.
    """

    def __init__(self, presence: Presence) -> None:
        self._path = presence.path.with_suffix(".fifo")
        os.mkfifo(self._path, mode_in(self._path.parent))
        with opening:
            # Opened for writing too, so that it never reports an end of file when the last ringer leaves.
            self._fd = os.open(self._path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            abandon_in_children(self)
        self._changed = threading.Condition()
        self._rings = 0

    def listen(self, timeout_s: float) -> bool:
        """Block until another process rings; pass it on to the consumers of this one."""
        heard = bool(select.select([self._fd], [], [], timeout_s)[0])
        if heard:
            with suppress(BlockingIOError):
                os.read(self._fd, 65536)
            self.ring()
        return heard

    def interrupt(self) -> None:
        """End a `listen` that is going on."""
        with suppress(BlockingIOError):  # full: it ends anyway
            os.write(self._fd, b"!")

    def ring(self) -> None:
        """Wake the consumers of this process."""
        with self._changed:
            self._rings += 1
            self._changed.notify_all()

    def heard(self) -> int:
        """How often it rang so far: take this before looking, hand it to `wait` after."""
        return self._rings

    def wait(self, heard: int, timeout_s: float) -> None:
        """Block until it rings once more than `heard`."""
        with self._changed:
            self._changed.wait_for(lambda: self._rings != heard, timeout_s)

    def close(self) -> None:
        self._path.unlink(missing_ok=True)
        self.abandon()

    def abandon(self) -> None:
        """In a forked child: close the inherited end, and leave the parent's FIFO where it is."""
        with opening:
            self._fd = closed(self._fd)


class Street:
    """The bells of all the other processes.

    Parameters:
      directory: the run directory.
      own: this process's owner, when it consumes.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._glances = Glances(directory)
        self._doors: list[tuple[Peer, int]] = []
        self._seen_ns = -1

    def ring_who_waits(self, own: int | None) -> None:
        """Ring every other process that has a consumer waiting. For one thread at a time."""
        try:
            self._look_around(own)
        except OSError as error:
            # Too many open files, or the directory is gone: their slow poll will find the message.
            logger.warning("Cannot wake other processes: %s", error)
            self.close()
        for peer, fifo in self._doors:
            if peer.is_waiting():
                # Full: it has not even read the last hints. No reader: it died; its file goes soon.
                with suppress(BlockingIOError, BrokenPipeError):
                    os.write(fifo, b"!")

    def _look_around(self, own: int | None) -> None:
        changed_ns = self._glances.changed_ns()
        if changed_ns == self._seen_ns:
            return
        self.close()
        for peer in peers(self._directory, own):
            with opening:
                try:
                    fifo = os.open(peer.path.with_suffix(".fifo"), os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                except OSError:  # not there yet, or nobody reads: it is arriving, leaving or dead
                    peer.close()
                else:
                    self._doors.append((peer, fifo))
        if time.time_ns() - changed_ns > _SETTLE_NS:
            self._seen_ns = changed_ns

    def close(self) -> None:
        with opening:
            doors, self._doors = self._doors, []
            for peer, fifo in doors:
                peer.close()
                os.close(fifo)
        self._seen_ns = -1
