"""The event loop of the supervisor: waits for signals, for file descriptors, and for the time."""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Protocol


class ReadWatcher(Protocol):
    """Calls back when a file descriptor can be read."""

    def watch_reads(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back each time there is something to read."""
        ...

    def unwatch(self, fd: int) -> None:
        """Stop calling back."""
        ...


class EventLoop:
    """Waits for whatever happens first. All callbacks run in the main thread, and none of them blocks.

    Parameters:
      signals: the signals to collect; `take_signals` returns them.
    """

    def __init__(self, signals: Iterable[signal.Signals]) -> None:
        self._selector = selectors.DefaultSelector()
        self._received: list[int] = []
        # A signal that the supervisor's own parent blocked would be held back, and the children would
        # inherit that.
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        self._wakeup, self._wakeup_writer = socket.socketpair()
        for end in (self._wakeup, self._wakeup_writer):
            end.setblocking(False)
        signal.set_wakeup_fd(self._wakeup_writer.fileno(), warn_on_full_buffer=False)
        self.watch_reads(self._wakeup.fileno(), lambda: self._wakeup.recv(4096))
        for number in signals:
            signal.signal(number, self._on_signal)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        self._received.append(number)

    def take_signals(self) -> list[int]:
        """Return the signals received since the previous call, in order."""
        received, self._received = self._received, []
        return received

    def watch_reads(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back each time there is something to read."""
        self._selector.register(fd, selectors.EVENT_READ, callback)

    def watch_writes(self, fd: int, callback: Callable[[], object]) -> None:
        """Call back each time there is room to write. A second call changes nothing."""
        if fd not in self._selector.get_map():
            self._selector.register(fd, selectors.EVENT_WRITE, callback)

    def unwatch(self, fd: int) -> None:
        """Stop calling back. A descriptor that is not watched is no error."""
        if fd in self._selector.get_map():
            self._selector.unregister(fd)

    def wait(self, timeout_s: float) -> None:
        """Wait until something happens, and call back.

        Parameters:
          timeout_s: how long to wait at most, in seconds.
        """
        for key, _ in self._selector.select(max(0.0, timeout_s)):
            if key.fd in self._selector.get_map():  # an earlier callback may have removed this one
                key.data()

    def close(self) -> None:
        signal.set_wakeup_fd(-1)
        self._selector.close()
        self._wakeup.close()
        self._wakeup_writer.close()
