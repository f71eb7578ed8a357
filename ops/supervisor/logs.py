"""The output of all children, as one stream of whole lines."""

from __future__ import annotations

import json
import os
import select
from collections import deque
from collections.abc import Callable

#: Longer lines are cut, in bytes.
MAX_LINE = 64 * 1024

#: What may wait for whoever reads our output, in bytes. What is beyond is dropped, and counted.
MAX_WAITING = 1024 * 1024

#: To a pipe that can be written at all, so many bytes can be written without waiting (PIPE_BUF).
_AT_ONCE = 4096


class Lines:
    """Makes lines of bytes that come in pieces."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_cut = False

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are whole now, without their ends. None is longer than `MAX_LINE`, and a bit."""
        *whole, rest = (self._rest + data).split(b"\n")
        lines = []
        for line in whole:
            if not self._is_cut:
                lines.append(_cut(line))
            self._is_cut = False
        if len(rest) > MAX_LINE and not self._is_cut:
            lines.append(_cut(rest))
            self._is_cut = True
        self._rest = b"" if self._is_cut else rest
        return lines

    def end(self) -> list[bytes]:
        """What was left without an end."""
        rest, self._rest = self._rest, b""
        return [rest] if rest else []


def _cut(line: bytes) -> bytes:
    return line if len(line) <= MAX_LINE else line[:MAX_LINE] + b" [cut]"


def labelled(child: str, line: bytes, *, as_json: bool) -> bytes:
    """The line, and whose it is.

    Parameters:
      as_json: lines are JSON objects, and what is none is made one.
    """
    if not as_json:
        return f"{child:<9} | ".encode() + line + b"\n"
    if line.startswith(b'{"') and line.endswith(b"}"):
        return b'{"child": "' + child.encode() + b'", ' + line[1:] + b"\n"
    return json.dumps({"child": child, "event": line.decode(errors="replace")}).encode() + b"\n"


class Outlet:
    """Writes to our own output, and never waits for who reads it.

    Parameters:
      fd: where to.
      dropped: makes the line that says how many were dropped.
    """

    def __init__(self, fd: int, dropped: Callable[[int], bytes]) -> None:
        self._fd = fd
        self._dropped = dropped
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self.lines_dropped = 0
        self._untold = 0
        self._is_flushing = False
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)

    @property
    def is_waiting(self) -> bool:
        """Whether there is something left to `flush` later."""
        return bool(self._waiting)

    def write(self, line: bytes) -> None:
        """Write a line, or keep it for later, or drop it."""
        if self._size + len(line) > MAX_WAITING:
            self.lines_dropped += 1
            self._untold += 1
            return
        self._waiting.append(line)
        self._size += len(line)
        self.flush()

    def flush(self) -> None:
        """Write what waits, as far as that goes without waiting."""
        if self._is_flushing:
            return  # a signal's handler, which has written something meanwhile
        self._is_flushing = True
        try:
            self._flush()
        finally:
            self._is_flushing = False

    def _flush(self) -> None:
        while self._waiting and self._poll.poll(0):
            piece = self._waiting[0][:_AT_ONCE]
            try:
                written = os.write(self._fd, piece)
            except BlockingIOError:
                return
            except OSError:  # nobody will ever read it: a closed pipe, a terminal that hung up
                self._waiting.clear()
                self._size = 0
                return
            rest = self._waiting.popleft()[written:]
            self._size -= written
            if rest:
                self._waiting.appendleft(rest)
            elif not self._waiting and self._untold:
                line, self._untold = self._dropped(self._untold), 0
                self._waiting.append(line)
                self._size += len(line)


class Writer:
    """A text stream into an outlet: what this process itself logs goes where its children's lines go.

    Parameters:
      outlet: where to.
      is_terminal: what `isatty` is to say.
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
