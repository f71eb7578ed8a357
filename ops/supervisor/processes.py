"""Starts the children's processes, listens to them, and sends them signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from .child import Slot
from .environment import NONE, Supervised
from .heartbeat import Heartbeat
from .logs import Lines
from .procfs import rss_bytes
from .reaper import kill_group

#: How much is read from a pipe at a time, in bytes: others have their turn in between.
CHUNK = 65536


@dataclass(slots=True)
class Process:
    """One that runs, and our ends of its pipes."""

    name: str
    popen: subprocess.Popen[bytes]
    output: int
    heartbeats: int
    lines: Lines = field(default_factory=Lines)
    beats: Lines = field(default_factory=Lines)


class Watcher(Protocol):
    """Calls back when something can be read."""

    def read(self, fd: int, callback: Callable[[], object]) -> None: ...

    def forget(self, fd: int) -> None: ...


class Processes:
    """The children's processes, as the machine has them. A crew's hands.

    Parameters:
      watcher: calls back when a pipe can be read.
      environment: for the children.
      listen_fd: the listening socket.
      on_line: told of each line of output, and whose it is.
      on_heartbeat: told of each heartbeat, and whose it is.
      reports_deaths: whether the queue has to be told that a worker is dead.
    """

    def __init__(
        self,
        watcher: Watcher,
        *,
        environment: Mapping[str, str],
        listen_fd: int,
        on_line: Callable[[str, bytes], None],
        on_heartbeat: Callable[[int, Heartbeat], None],
        reports_deaths: bool,
    ) -> None:
        self._watcher = watcher
        self._environment = environment
        self._listen_fd = listen_fd
        self._on_line = on_line
        self._on_heartbeat = on_heartbeat
        self._reports_deaths = reports_deaths
        self._running: dict[int, Process] = {}
        self.helpers: dict[int, int] = {}

    # -- starting --------------------------------------------------------------------------------------

    def start(self, slot: Slot) -> int:
        listen_fd = self._listen_fd if slot.spec.listens else NONE
        return self._spawn(
            slot.name,
            slot.spec.argv,
            listen_fd=listen_fd,
            with_heartbeats=True,
            another_serves=slot.another_serves,
        )

    def report_death(self, pid: int) -> None:
        if not self._reports_deaths:
            return
        command = [sys.executable, "-P", "-m", "ops.supervisor.obituary", str(pid)]
        try:
            helper = self._spawn("obituary", command, listen_fd=NONE, with_heartbeats=False)
        except OSError as error:
            self._on_line("obituary", f"cannot be started: {error}".encode())
            return
        self.helpers[helper] = pid

    def _spawn(
        self,
        name: str,
        argv: Sequence[str],
        *,
        listen_fd: int,
        with_heartbeats: bool,
        another_serves: bool = False,
    ) -> int:
        output, its_output = os.pipe()
        heartbeats, its_heartbeats = os.pipe() if with_heartbeats else (NONE, NONE)
        place = Supervised(os.getpid(), name, its_heartbeats, listen_fd, another_serves)
        try:
            popen = subprocess.Popen(  # noqa: S603  our own programs
                argv,
                env=place.environment(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=its_output,
                stderr=its_output,
                pass_fds=[fd for fd in (its_heartbeats, listen_fd) if fd != NONE],
                start_new_session=True,  # Ctrl-C is for us: we stop them in order
            )
        except OSError:
            _close(output, heartbeats)
            raise
        finally:
            _close(its_output, its_heartbeats)
        process = Process(name, popen, output, heartbeats)
        self._running[popen.pid] = process
        self._listen(output, partial(self._read_output, process))
        if with_heartbeats:
            self._listen(heartbeats, partial(self._read_heartbeats, process))
        return popen.pid

    def _listen(self, fd: int, read: Callable[[], bool]) -> None:
        os.set_blocking(fd, False)
        self._watcher.read(fd, read)

    # -- listening -------------------------------------------------------------------------------------

    def _read_output(self, process: Process) -> bool:
        data = self._read(process.output)
        for line in process.lines.feed(data):
            self._on_line(process.name, line)
        return bool(data)

    def _read_heartbeats(self, process: Process) -> bool:
        data = self._read(process.heartbeats)
        for line in process.beats.feed(data):
            with suppress(ValueError):  # cut short: the next one comes in a second
                self._on_heartbeat(process.popen.pid, Heartbeat.decode(line))
        return bool(data)

    def _read(self, fd: int) -> bytes:
        try:
            data = os.read(fd, CHUNK)
        except BlockingIOError:
            return b""
        if not data:  # closed: it ended, or will say no more
            self._watcher.forget(fd)
        return data

    # -- their end -------------------------------------------------------------------------------------

    def terminate(self, pid: int) -> None:
        os.kill(pid, signal.SIGTERM)

    def kill(self, pid: int) -> None:
        kill_group(pid)

    def rss_bytes(self, pid: int) -> int:
        return rss_bytes(pid)

    def ended(self, pid: int, code: int) -> None:
        """It was waited for: read what it still said, and close its pipes."""
        process = self._running.pop(pid, None)
        if process is None:
            return
        process.popen.returncode = code  # or it would wait once more, for whoever has its number then
        while self._read_output(process):
            pass
        for line in process.lines.end():
            self._on_line(process.name, line)
        while process.heartbeats != NONE and self._read_heartbeats(process):
            pass
        for fd in {process.output, process.heartbeats} - {NONE}:
            self._watcher.forget(fd)
            os.close(fd)

    def kill_all(self) -> None:
        """Leave nothing behind."""
        for pid in self._running:
            self.kill(pid)


def _close(*fds: int) -> None:
    for fd in fds:
        if fd != NONE:
            os.close(fd)
