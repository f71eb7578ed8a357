"""The output of a supervised process, which never waits for the supervisor to read it.

The supervisor reads it from a pipe, whose end here does not block. While the supervisor is stopped, or too
slow, the pipe fills. Then what this process prints and logs is kept, up to a limit. What is beyond is dropped
and counted, and the number is told when there is room again. What C code, and programs that this process
starts, write to the pipe themselves does not pass here: it is lost while the pipe is full.
"""

from __future__ import annotations

import atexit
import io
import os
import select
import sys
import threading
import time
from typing import Any, cast

from .logs import MAX_LINE, Outlet

#: How long the last lines of a process may take to be read, in seconds.
LAST_LINES_S = 1.0

#: How often is looked whether what was kept can be written, in seconds.
LOOK_S = 0.1


class Output(io.RawIOBase):
    """Writes to a pipe from any thread, and keeps what it does not take for later.

    Parameters:
      fd: the pipe's end. It must not block.
    """

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._begin()

    def _begin(self) -> None:
        self._outlet = Outlet(self._fd, _dropped)
        self._in_use = threading.RLock()  # a signal's handler may print while its thread is in here
        self._flusher: threading.Thread | None = None
        self._begun = b""  # a line that has no end yet

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._fd

    def write(self, data: Any) -> int:
        """Write, keep or drop. It never blocks, and never raises for want of room."""
        content = bytes(data)
        with self._in_use:
            *lines, self._begun = (self._begun + content).split(b"\n")
            lines = [line + b"\n" for line in lines]
            if len(self._begun) > MAX_LINE:
                lines.append(self._begun)
                self._begun = b""
            self._pass_on(lines)
        return len(content)

    def flush(self) -> None:
        """Write what has no end yet, too."""
        with self._in_use:
            begun, self._begun = self._begun, b""
            self._pass_on([begun] if begun else [])

    def _pass_on(self, lines: list[bytes]) -> None:
        for line in lines:
            self._outlet.write(line)
        if self._outlet.is_waiting and self._flusher is None:
            self._flusher = threading.Thread(target=self._flush_later, name="recado-output", daemon=True)
            self._flusher.start()

    def drain(self, within_s: float) -> None:
        """Wait for what was kept to be written, and no longer than that."""
        until = time.monotonic() + within_s
        self.flush()
        while self._is_waiting() and time.monotonic() < until:
            select.select([], [self._fd], [], LOOK_S)

    def _flush_later(self) -> None:
        while True:
            with self._in_use:
                if not self._is_waiting():
                    self._flusher = None
                    return
            select.select([], [self._fd], [], LOOK_S)

    def _is_waiting(self) -> bool:
        with self._in_use:
            self._outlet.flush()
            return self._outlet.is_waiting


def never_wait() -> None:
    """Have all that this process prints and logs go through one `Output`.

    A forked child has its own: what its parent kept is the parent's to write.
    """
    os.set_blocking(sys.stderr.fileno(), False)
    output = Output(sys.stderr.fileno())
    text: Any = io.TextIOWrapper(
        cast(Any, output),  # unbuffered, as Python has it with PYTHONUNBUFFERED
        encoding="utf-8",
        errors="backslashreplace",
        line_buffering=True,
        write_through=True,
    )
    sys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = text  # type: ignore[misc]
    atexit.register(output.drain, LAST_LINES_S)
    os.register_at_fork(after_in_child=output._begin)


def _dropped(count: int) -> bytes:
    return b"%d lines of this process were dropped: they were not read in time\n" % count
