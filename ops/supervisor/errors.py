"""The reasons for which the supervisor cannot start, or cannot be reached."""

from __future__ import annotations

import os
from pathlib import Path

from ops.exit_codes import ALREADY_RUNNING, FAILED


class SupervisorError(Exception):
    """Is shown to the operator, who has to act; the text says how.

    Attributes:
      exit_code: the exit code of the command.
    """

    exit_code = FAILED


class AlreadyRunning(SupervisorError):
    """Another living supervisor has the run directory.

    Attributes:
      directory: the run directory.
      pid: the process id of the other supervisor; empty when it is not known.
    """

    exit_code = ALREADY_RUNNING

    def __init__(self, directory: Path, pid: str) -> None:
        super().__init__(
            f"Another supervisor (pid {pid or 'unknown'}) runs on {directory}. Stop it first, or give this "
            "one a RUN_DIRECTORY of its own."
        )
        self.directory = directory
        self.pid = pid


class RunDirectoryUnusable(SupervisorError):
    """The run directory cannot be made or written.

    Attributes:
      directory: the run directory.
    """

    def __init__(self, directory: Path, error: OSError) -> None:
        super().__init__(f"RUN_DIRECTORY {directory} cannot be used: {error.strerror or error}.")
        self.directory = directory


class CannotListen(SupervisorError):
    """The API's address is taken, or none of this machine's.

    Attributes:
      host, port: the address.
    """

    def __init__(self, host: str, port: int, error: OSError) -> None:
        super().__init__(f"Cannot listen on {host}:{port}: {os.strerror(error.errno or 0)}.")
        self.host = host
        self.port = port


class Unreachable(SupervisorError):
    """No supervisor answers on a run directory.

    Attributes:
      directory: the run directory.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(
            f"No supervisor answers on {directory}. Is `recado up` running, and with the same RUN_DIRECTORY?"
        )
        self.directory = directory
