"""The worker processes of this installation, as its supervisor knows them, and how one is killed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ...supervision import Supervisor

#: A worker that has run a message for as long as this, in seconds, waits for the model. The run before, which
#: puts the message back for the rest of a burst, takes a few milliseconds.
AT_WORK_S = 0.3

#: How often it is looked which worker has begun with a message, in seconds.
LOOK_EVERY_S = 0.05


class NoSuchWorker(Exception):
    """The supervisor of this installation runs no such worker, or not any more."""


class WorkerProcess(NamedTuple):
    """A worker of this installation.

    Attributes:
      name: as the supervisor calls it.
      pid: its process id; None while none runs.
      state: as `recado status` shows it.
      running: how many messages it works on.
      message_id: the message that it has worked on for longest.
      running_s: for how long, in seconds.
      restarts: how often it was started again.
    """

    name: str
    pid: int | None
    state: str
    running: int
    message_id: str | None
    running_s: float
    restarts: int


class WorkerProcesses:
    """Finds workers and kills them: no process but those that the supervisor of this installation runs.

    Parameters:
      ask_supervisor: asks the supervisor for its status; None where there is no supervisor.
    """

    def __init__(self, ask_supervisor: Supervisor | None) -> None:
        self._ask_supervisor = ask_supervisor

    def listed(self) -> Sequence[WorkerProcess] | None:
        """Return the workers; None where no supervisor answers."""
        status = None if self._ask_supervisor is None else self._ask_supervisor()
        if status is None:
            return None
        return [_worker(child) for child in status["children"] if child["kind"] == "worker"]

    def on(self, message_id: str, *, within_s: float) -> WorkerProcess | None:
        """Wait for a worker to be in the middle of a message; return it, or None when none is in time."""
        until = time.monotonic() + within_s
        while time.monotonic() < until:
            for worker in self.listed() or ():
                if worker.message_id == message_id and worker.running_s >= AT_WORK_S:
                    return worker
            time.sleep(LOOK_EVERY_S)
        return None

    def kill(self, name: str, pid: int) -> None:
        """Kill a worker, as `kill -9` does.

        Raises:
          NoSuchWorker: the supervisor runs no worker of that name under that process id.
        """
        with _held(pid) as send:
            # Looked up while the process is held: this pid cannot become another process's in between.
            if all((each.name, each.pid) != (name, pid) for each in self.listed() or ()):
                raise NoSuchWorker(name)
            send()


@contextmanager
def _held(pid: int) -> Iterator[Any]:
    """Give what kills a process, and that process only; where Linux is not, whatever has its id by then.

    Raises:
      NoSuchWorker: there is no such process.
    """
    try:
        if not hasattr(os, "pidfd_open"):
            yield lambda: os.kill(pid, signal.SIGKILL)
            return
        fd = os.pidfd_open(pid)
        try:
            yield lambda: signal.pidfd_send_signal(fd, signal.SIGKILL)
        finally:
            os.close(fd)
    except (OSError, OverflowError) as error:
        raise NoSuchWorker(str(pid)) from error


def _worker(child: Mapping[str, Any]) -> WorkerProcess:
    job = child.get("oldest_job")
    return WorkerProcess(
        name=child["name"],
        pid=child["pid"],
        state=child["state"],
        running=child.get("running", 0),
        message_id=None if job is None else job["message_id"],
        running_s=0.0 if job is None else job["running_s"],
        restarts=child["restarts"],
    )
