"""Python programs that begin as forks of a server, see `fork_server`."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import cache
from multiprocessing import Pipe
from pathlib import Path

from . import fork_server

#: The audit event of one that begins.
FORKED = "tests.forked_program"


class ForkedProgram:
    """A program that was forked. What is here is as in `subprocess.Popen`.

    Parameters:
      command: a Python script, or "-m" and the name of a module; then its arguments.
      env: its whole environment.
      cwd: its working directory.
      files: what its file descriptors are to be, by number. 0, 1 and 2 have to be among them.

    Attributes:
      pid: its process id, which is that of its session and its process group, too.
    """

    def __init__(
        self, command: Sequence[str], *, env: Mapping[str, str], cwd: Path, files: Mapping[int, int]
    ) -> None:
        sys.audit(FORKED, command)
        self._command = list(command)
        self._code: int | None = None
        self._said, theirs = Pipe()
        begin = fork_server.Begin(self._command, dict(env), str(cwd), list(files))
        with theirs, tempfile.TemporaryFile() as written:
            begin.write(written)
            received = [written.fileno(), theirs.fileno(), *files.values()]
            socket.send_fds(_server(), [b"."], received)
        self.pid = int(self._said.recv())

    def poll(self) -> int | None:
        with suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        if self._code is None:
            if not self._said.poll(timeout):
                raise subprocess.TimeoutExpired(self._command, timeout or 0)
            self._code = int(self._said.recv())
            self._said.close()
        return self._code

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)


def run_forked(
    command: Sequence[str], *, env: Mapping[str, str], cwd: Path, typed: str = "", timeout_s: float
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as `subprocess.run` does. It is killed when it takes longer than the timeout.

    Parameters:
      command, env, cwd: as of `ForkedProgram`.
      typed: what it reads.

    Raises:
      TimeoutExpired: it took longer.
    """
    with ExitStack() as stack:
        stdin, stdout, stderr = (stack.enter_context(tempfile.TemporaryFile("w+")) for _ in range(3))
        stdin.write(typed)
        stdin.seek(0)
        files = {number: file.fileno() for number, file in enumerate((stdin, stdout, stderr))}
        program = ForkedProgram(command, env=env, cwd=cwd, files=files)
        stack.callback(program.kill)
        code = program.wait(timeout_s)
        stdout.seek(0)
        stderr.seek(0)
        return subprocess.CompletedProcess(list(command), code, stdout.read(), stderr.read())


@cache
def _server() -> socket.socket:
    """Return the way to this process's server, which begins when it is needed and ends with the process."""
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", fork_server.__name__, str(theirs.fileno())],
            cwd=Path(__file__).parents[2],
            pass_fds=[theirs.fileno()],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # before the wait, since what was registered last is called first
    return ours
