"""The processes of the children: starts them, reads their pipes, and sends them signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

from ..control.slot import Slot
from ..operating_system import kill_group, rss_bytes
from ..output.lines import LineSplitter
from ..protocol.child_environment import NO_FD, ChildEnvironment
from ..protocol.heartbeat import Heartbeat
from .event_loop import ReadWatcher

#: How much is read from a pipe at a time, in bytes, so that the other pipes are read in between.
CHUNK_BYTES = 65536

#: The label of what a process writes that reports a death.
REPORT_DEATH = "report-death"


@dataclass(slots=True)
class RunningProcess:
    """Describes a process that runs, and the supervisor's ends of its pipes."""

    name: str
    popen: subprocess.Popen[bytes]
    output_fd: int
    heartbeat_fd: int
    output_lines: LineSplitter = field(default_factory=LineSplitter)
    heartbeat_lines: LineSplitter = field(default_factory=LineSplitter)


class ChildProcesses:
    """Controls the processes of this machine: the `ProcessControl` of the children.

    Parameters:
      watcher: calls back when a pipe can be read.
      environment: the environment variables of all children.
      listen_fd: the API's listening socket.
      on_line: called with a child's name and a line of its output.
      on_heartbeat: called with a child's process id and its heartbeat.
      reports_deaths: whether the queue has to be told that a worker is dead.

    Attributes:
      helpers: the processes that report a death: their process ids, and the one of the dead worker.
    """

    def __init__(
        self,
        watcher: ReadWatcher,
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
        self._running: dict[int, RunningProcess] = {}
        self.helpers: dict[int, int] = {}

    # -- starting --------------------------------------------------------------------------------------

    def start(self, slot: Slot) -> int:
        """Start a process for a slot; return its process id.

        Raises:
          OSError: the system cannot start another process.
        """
        return self._spawn(
            slot.name,
            slot.spec.argv,
            listen_fd=self._listen_fd if slot.spec.listens else NO_FD,
            with_heartbeats=True,
            another_serves=slot.another_serves,
        )

    def report_death(self, pid: int) -> None:
        """Start a process that tells the queue that a worker is dead, where the queue needs that."""
        if not self._reports_deaths:
            return
        command = [sys.executable, "-P", "-m", "ops.supervisor.child.report_death", str(pid)]
        try:
            helper = self._spawn(REPORT_DEATH, command, listen_fd=NO_FD, with_heartbeats=False)
        except OSError as error:
            self._on_line(REPORT_DEATH, f"cannot be started: {error}".encode())
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
        output_fd, child_output_fd = os.pipe()
        heartbeat_fd, child_heartbeat_fd = os.pipe() if with_heartbeats else (NO_FD, NO_FD)
        place = ChildEnvironment(os.getpid(), name, child_heartbeat_fd, listen_fd, another_serves)
        try:
            popen = subprocess.Popen(  # noqa: S603  our own programs
                argv,
                env=place.to_variables(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=child_output_fd,
                stderr=child_output_fd,
                pass_fds=[fd for fd in (child_heartbeat_fd, listen_fd) if fd != NO_FD],
                start_new_session=True,  # Ctrl-C reaches the supervisor only, which stops children in order
            )
        except OSError:
            _close(output_fd, heartbeat_fd)
            raise
        finally:
            _close(child_output_fd, child_heartbeat_fd)
        process = RunningProcess(name, popen, output_fd, heartbeat_fd)
        self._running[popen.pid] = process
        self._watch(output_fd, partial(self._read_output, process))
        if with_heartbeats:
            self._watch(heartbeat_fd, partial(self._read_heartbeats, process))
        return popen.pid

    def _watch(self, fd: int, read: Callable[[], bool]) -> None:
        os.set_blocking(fd, False)
        self._watcher.watch_reads(fd, read)

    # -- reading ---------------------------------------------------------------------------------------

    def _read_output(self, process: RunningProcess) -> bool:
        data = self._read(process.output_fd)
        for line in process.output_lines.feed(data):
            self._on_line(process.name, line)
        return bool(data)

    def _read_heartbeats(self, process: RunningProcess) -> bool:
        data = self._read(process.heartbeat_fd)
        for line in process.heartbeat_lines.feed(data):
            with suppress(ValueError):  # a heartbeat cut short; the next one follows in a second
                self._on_heartbeat(process.popen.pid, Heartbeat.decode(line))
        return bool(data)

    def _read(self, fd: int) -> bytes:
        try:
            data = os.read(fd, CHUNK_BYTES)
        except BlockingIOError:
            return b""
        if not data:  # the process has closed its end
            self._watcher.unwatch(fd)
        return data

    # -- ending ----------------------------------------------------------------------------------------

    def terminate(self, pid: int) -> None:
        """Tell a child to stop. The child stops the processes that it started itself."""
        os.kill(pid, signal.SIGTERM)

    def kill(self, pid: int) -> None:
        """Kill a child and the processes that it started."""
        kill_group(pid)

    def rss_bytes(self, pid: int) -> int:
        """Return the resident memory of a process, in bytes."""
        return rss_bytes(pid)

    def process_ended(self, pid: int, code: int) -> None:
        """Read what a process wrote before its end, and close its pipes.

        Parameters:
          pid: the process id. The caller has waited for the process.
          code: the exit code, or minus the signal's number.
        """
        process = self._running.pop(pid, None)
        if process is None:
            return
        process.popen.returncode = (
            code  # otherwise Popen waits for the process id, which may be another's then
        )
        while self._read_output(process):
            pass
        for line in process.output_lines.end():
            self._on_line(process.name, line)
        while process.heartbeat_fd != NO_FD and self._read_heartbeats(process):
            pass
        for fd in {process.output_fd, process.heartbeat_fd} - {NO_FD}:
            self._watcher.unwatch(fd)
            os.close(fd)

    def kill_all(self) -> None:
        """Kill every process that still runs."""
        for pid in self._running:
            self.kill(pid)


def _close(*fds: int) -> None:
    for fd in fds:
        if fd != NO_FD:
            os.close(fd)
