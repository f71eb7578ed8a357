"""Recado's processes on this machine, started for a while: what the demo runs on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from .foundation.private_files import private


class Processes:
    """Starts `recado` commands, each with a log file, and stops them all at the end.

    Parameters:
      directory: where they run, and where their logs go.
      environment: added to this process's own.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self.directory = directory
        self.environment = {**os.environ, **environment}
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str, module: str = "ops") -> int:
        """Start `recado` with these arguments, or another module; return its process id."""
        with open(self.log_of(name), "ab", opener=private) as log:
            process = subprocess.Popen(  # noqa: S603  our own command line
                [sys.executable, "-m", module, *arguments],
                cwd=self.directory,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us: we stop them in order
            )
        self._running[name] = process
        return process.pid

    def log_of(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def kill(self, pid: int) -> str:
        """SIGKILL one of them and wait until it is gone; return its name."""
        name = next(name for name, process in self._running.items() if process.pid == pid)
        process = self._running.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()
        return name

    def ended(self) -> list[str]:
        """The names of those that ended by themselves."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in reversed(self._running.values()):
            process.terminate()
        for process in self._running.values():
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
