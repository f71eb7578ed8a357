"""The one place that waits: for signals, for what children write, for whoever asks, for the time."""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable, Iterable
from types import FrameType


class Loop:
    """Waits for whatever comes first. Everything happens in the main thread, and nothing in it blocks.

    Parameters:
      signals: those that are collected; `signals()` gives them out.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._selector = selectors.DefaultSelector()
        self._came: list[int] = []
        # The kernel may hold a signal back that our own parent blocked, and our children would inherit that.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self._bell, ring = socket.socketpair()
        for end in (self._bell, ring):
            end.setblocking(False)
        self._ring = ring
        signal.set_wakeup_fd(ring.fileno(), warn_on_full_buffer=False)
        self.read(self._bell.fileno(), self._silence)
        for number in signals:
            signal.signal(number, self._note)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)

    def _silence(self) -> None:
        self._bell.recv(4096)

    def signals(self) -> list[int]:
        """The signals that came since the last time, in order."""
        came, self._came = self._came, []
        return came

    def read(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back whenever there is something to read."""
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def write(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back whenever there is room to write; a second time changes nothing."""
        if fd not in self._selector.get_map():
            self._selector.register(fd, selectors.EVENT_WRITE, callback)

    def forget(self, fd: int) -> None:
        """Call back no more; harmless when it never was to."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def wait(self, timeout_s: float) -> None:
        """Wait until something comes, and call back."""
        for key, _ in self._selector.select(max(0.0, timeout_s)):
            if key.fd in self._selector.get_map():  # or an earlier callback had it forgotten
                key.data()

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._bell.close()
        self._ring.close()
