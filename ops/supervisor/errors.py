"""What keeps the supervisor from starting, or from being asked."""

from __future__ import annotations

import os
from pathlib import Path

#: Exit codes of `recado up`. Those of its children are the same, but for the last.
OK, FAILED, MISCONFIGURED, NO_CONNECTION, ALREADY_RUNNING = 0, 1, 2, 3, 4


class SupervisorError(Exception):
    """Something a person has to look at; the text says what.

    Attributes:
      exit_code: what the command ends with.
    """

    exit_code = FAILED


class AlreadyRunning(SupervisorError):
    """Another living supervisor has the run directory."""

    exit_code = ALREADY_RUNNING

    def __init__(self, directory: Path, pid: str) -> None:
        super().__init__(
            f"Another supervisor (pid {pid or 'unknown'}) runs on {directory}. Stop it first, or give this "
            "one a RUN_DIRECTORY of its own."
        )
        self.directory = directory
        self.pid = pid


class RunDirectoryUnusable(SupervisorError):
    """The run directory cannot be made or written."""

    def __init__(self, directory: Path, error: OSError) -> None:
        super().__init__(f"RUN_DIRECTORY {directory} cannot be used: {error.strerror or error}.")
        self.directory = directory


class CannotListen(SupervisorError):
    """The API's address is taken, or is none of this machine's."""

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}.")
        self.host = host
        self.port = port


class Unreachable(SupervisorError):
    """No supervisor answers."""

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"No supervisor answers on {directory}. Is `recado up` running, and with the same RUN_DIRECTORY?"
        )
        self.directory = directory
