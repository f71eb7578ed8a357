"""The output of a child, which never waits for the supervisor to read it.

The supervisor reads the child's output from a pipe, whose end in the child does not block. While the
supervisor is stopped, or too slow, the pipe fills. Then the child keeps what it prints and logs, up to a
limit. Further lines are dropped and counted; the child reports their number when there is room again.

C code, and programs that the child starts, write to the pipe without this module. What they write while the
pipe is full is lost.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from .lines import MAX_LINE_BYTES
from .outlet import Outlet

#: How long a process that ends waits for its last lines to be read, in seconds.
LAST_LINES_S = 1.0

#: How often the flusher checks whether kept lines can be written, in seconds.
CHECK_EVERY_S = 0.1


class ChildOutput(io.RawIOBase):
    """Writes to a pipe from any thread, and keeps the lines that the pipe has no room for.

    Parameters:
      fd: the pipe's end. It must not block.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._reset()

    def _reset(self) -> None:
        """Begin without kept lines: a forked child leaves those of its parent to the parent."""
        self._outlet = Outlet(self._fd, _dropped)
        self._lock = threading.RLock()  # a signal handler may print while its thread holds the lock
        self._flusher: threading.Thread | None = None
        self._unfinished = b""  # a line that has no end yet

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def write(self, data: Any) -> int:
        """Write, keep or drop the lines of `data`. A full pipe neither blocks nor raises."""
        content = bytes(data)
        with self._holding_lock() as is_held:
            if not is_held:
                return len(content)
            *lines, self._unfinished = (self._unfinished + content).split(b"\n")
            lines = [line + b"\n" for line in lines]
            if len(self._unfinished) > MAX_LINE_BYTES:
                lines.append(self._unfinished)
                self._unfinished = b""
            self._pass_on(lines)
        return len(content)

    def flush(self) -> None:
        """Write the line that has no end yet."""
        with self._holding_lock() as is_held:
            if is_held:
                unfinished, self._unfinished = self._unfinished, b""
                self._pass_on([unfinished] if unfinished else [])

    @contextmanager
    def _holding_lock(self) -> Iterator[bool]:
        """Take the lock, and yield True; yield False where no thread can ever release it.

        When the interpreter shuts down, it ends daemon threads wherever they are. A daemon thread that writes
        at that moment keeps the lock; therefore the main thread, which flushes afterwards, must not wait.
        """
        is_held = self._lock.acquire(blocking=not sys.is_finalizing())
        try:
            yield is_held
        finally:
            if is_held:
                self._lock.release()

    def _pass_on(self, lines: list[bytes]) -> None:
        for line in lines:
            self._outlet.write(line)
        if self._outlet.is_waiting and self._flusher is None:
            self._flusher = threading.Thread(target=self._flush_later, name="recado-output", daemon=True)
            self._flusher.start()

    def drain(self, within_s: float) -> None:
        """Wait until the kept lines are written.

        Parameters:
          within_s: how long to wait at most, in seconds.
        """
        until = time.monotonic() + within_s
        self.flush()
        while self._is_waiting() and time.monotonic() < until:
            select.select([], [self._fd], [], CHECK_EVERY_S)

    def _flush_later(self) -> None:
        while True:
            with self._lock:
                if not self._is_waiting():
                    self._flusher = None
                    return
            select.select([], [self._fd], [], CHECK_EVERY_S)

    def _is_waiting(self) -> bool:
        with self._lock:
            self._outlet.flush()
            return self._outlet.is_waiting


def replace_standard_streams() -> None:
    """Have all that this process prints and logs go through one `ChildOutput`."""
    os.set_blocking(sys.stderr.fileno(), False)
    output = ChildOutput(sys.stderr.fileno())
    text: Any = io.TextIOWrapper(
        cast(Any, output),  # unbuffered, as Python has it with PYTHONUNBUFFERED
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = text  # type: ignore[misc]
    atexit.register(output.drain, LAST_LINES_S)
    os.register_at_fork(after_in_child=output._reset)


def _dropped(count: int) -> bytes:
    return b"%d lines of this process were dropped: they were not read in time\n" % count
