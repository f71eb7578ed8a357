"""Sends a child's heartbeats."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from .heartbeat import Heartbeat


class Pulse:
    """Writes heartbeats to the supervisor's pipe, and waits for nobody.

    Parameters:
      fd: the pipe's end.
      interval_s: how often, in seconds.
      report: says how this process is.
    """

    def __init__(self, fd: int, interval_s: float, report: Callable[[], Heartbeat]) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self.interval_s = interval_s
        self._report = report
        self._said_idle = True
        self._last: Heartbeat | None = None
        self._line = b""
        # Held by worker threads too, and only where no interrupt can hit them: in the outermost hooks.
        self._beating = threading.Lock()

    def start(self) -> None:
        """Beat in a thread of its own from now on, for as long as the process lives."""
        threading.Thread(target=self._run, name="recado-pulse", daemon=True).start()

    def busy(self) -> None:
        """Work begins. Said at once when the last heartbeat knew of none: should it kill this process, the
        supervisor has heard that it died at work."""
        if self._said_idle:
            self.beat()

    def beat(self) -> None:
        """Send one heartbeat."""
        with self._beating:
            heartbeat = self._report()
            self._said_idle = not heartbeat.running
            if heartbeat != self._last:  # an idle process says the same again and again
                self._last, self._line = heartbeat, heartbeat.encode()
            # Full, the supervisor is not reading, and will have the next. Broken, it is gone, and so is this
            # process in a moment.
            with suppress(BlockingIOError, BrokenPipeError):
                os.write(self._fd, self._line)

    def _run(self) -> None:
        while True:
            self.beat()
            time.sleep(self.interval_s)
