"""The outlet: writes lines to a file descriptor, and keeps those that its reader has no room for."""

from __future__ import annotations

import os
import select
from collections import deque
from collections.abc import Callable

#: How much is kept for a slow reader, in bytes. Further lines are dropped, and counted.
MAX_KEPT_BYTES = 1024 * 1024

#: A pipe that can be written to takes this many bytes without waiting: 4,096 on Linux, 512 on macOS.
_WRITE_BYTES = select.PIPE_BUF


class Outlet:
    """Writes lines, and never waits for their reader.

    Parameters:
      fd: the file descriptor.
      dropped: makes the line that says how many lines were dropped.

    Attributes:
      lines_dropped: how many lines were dropped so far.
    """

    def __init__(self, fd: int, dropped: Callable[[int], bytes]) -> None:
        self._fd = fd
        self._dropped = dropped
        self._kept: deque[bytes] = deque()
        self._kept_bytes = 0
        self.lines_dropped = 0
        self._dropped_unreported = 0
        self._is_flushing = False

    @property
    def is_waiting(self) -> bool:
        """Return whether lines are kept that `flush` has to write later."""
        return bool(self._kept)

    def write(self, line: bytes) -> None:
        """Write a line, keep it for later, or drop it."""
        if self._kept_bytes + len(line) > MAX_KEPT_BYTES:
            self.lines_dropped += 1
            self._dropped_unreported += 1
            return
        self._kept.append(line)
        self._kept_bytes += len(line)
        self.flush()

    def flush(self) -> None:
        """Write the kept lines, as far as that is possible without waiting."""
        if self._is_flushing:
            return  # a signal handler has written a line during a flush: the flush goes on with that line
        self._is_flushing = True
        try:
            self._flush()
        finally:
            self._is_flushing = False

    def _flush(self) -> None:
        while self._kept:
            piece = self._kept[0][:_WRITE_BYTES]
            try:
                if not select.select([], [self._fd], [], 0)[1]:
                    return
                written = os.write(self._fd, piece)
            except BlockingIOError:
                return
            except OSError:  # the reader is gone for good: a closed pipe, a terminal that hung up
                self._kept.clear()
                self._kept_bytes = 0
                return
            rest = self._kept.popleft()[written:]
            self._kept_bytes -= written
            if rest:
                self._kept.appendleft(rest)
            elif not self._kept and self._dropped_unreported:
                line, self._dropped_unreported = self._dropped(self._dropped_unreported), 0
                self._kept.append(line)
                self._kept_bytes += len(line)


class OutletStream:
    """A text stream into an outlet, for the supervisor's own log.

    Parameters:
      outlet: the outlet.
      is_terminal: what `isatty` returns.
    """

    def __init__(self, outlet: Outlet, *, is_terminal: bool) -> None:
        self._outlet = outlet
        self._is_terminal = is_terminal

    def write(self, text: str) -> int:
        if text:
            self._outlet.write(text.encode(errors="backslashreplace"))
        return len(text)

    def flush(self) -> None:
        self._outlet.flush()

    def isatty(self) -> bool:
        return self._is_terminal
