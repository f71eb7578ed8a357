"""Sends a child's heartbeats."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from ..protocol.heartbeat import Heartbeat


class HeartbeatSender:
    """Writes heartbeats to the supervisor's pipe, and never waits for the supervisor to read them.

    Parameters:
      fd: the pipe's end.
      interval_s: how often `start` sends a heartbeat, in seconds.
      report: returns the state of this process.

    Attributes:
      interval_s: the same.
    """

    def __init__(self, fd: int, interval_s: float, report: Callable[[], Heartbeat]) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self.interval_s = interval_s
        self._report = report
        self._last_was_idle = True
        self._last: Heartbeat | None = None
        self._line = b""
        # Worker threads take the lock too, but only in the outermost middleware hooks, where no time limit
        # interrupts them.
        self._sending = threading.Lock()

    def start(self) -> None:
        """Send heartbeats from a thread, as long as the process lives."""
        threading.Thread(target=self._run, name="recado-heartbeat", daemon=True).start()

    def work_began(self) -> None:
        """Send a heartbeat now, if the last one said that nothing runs.

        So the supervisor knows that the process was at work, should a message kill it.
        """
        if self._last_was_idle:
            self.send()

    def send(self) -> None:
        """Send one heartbeat."""
        with self._sending:
            heartbeat = self._report()
            self._last_was_idle = not heartbeat.running
            if heartbeat != self._last:  # an idle process sends the same line again and again
                self._last, self._line = heartbeat, heartbeat.encode()
            # BlockingIOError: the supervisor does not read at the moment. It reads a later heartbeat.
            # BrokenPipeError: the supervisor is dead, and this process dies in a moment.
            with suppress(BlockingIOError, BrokenPipeError):
                os.write(self._fd, self._line)

    def _run(self) -> None:
        while True:
            self.send()
            time.sleep(self.interval_s)
