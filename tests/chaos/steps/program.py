"""Recado's programs with the points in them: `python -m tests.chaos.steps.program 2` has two workers.

It has imported everything, and forks each of them: it takes the place of a supervisor, and one that died is
followed by another at once. One that was stopped goes on after STEP_STOPPED_S.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable

from actors.channels.twilio import rest
from actors.responders import openai
from actors.services import services
from api.app import create_app
from ops.server import run_server
from ops.worker import run_worker

from . import hooks

#: What is slow to import, and is not to be imported by each worker.
IMPORTED = (rest, openai)

#: How often it looks for those that died or were stopped, in seconds.
EVERY_S = 0.01

#: What a process is to be, given the one whose place it takes.
Role = Callable[[int | None], int]


def serve(_: int | None) -> int:
    """Be the API."""
    return run_server(create_app(), host="127.0.0.1", port=int(os.environ["API_PORT"]), request_within_s=30)


def work(died: int | None) -> int:
    """Be a worker. As a supervisor does, report the one that died."""
    if died is not None:
        services().broker.backend.report_death(died)
    return run_worker(threads=2)


def keep(roles: list[Role]) -> None:
    """Keep a process of each role running, until this one is told to stop."""
    running = {_fork(role, None): role for role in roles}
    stopped: dict[int, float] = {}
    while True:
        pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
        if pid == 0:
            time.sleep(EVERY_S)
        elif os.WIFSTOPPED(status):
            stopped[pid] = time.monotonic() + float(os.environ["STEP_STOPPED_S"])
        else:
            role = running.pop(pid)
            running[_fork(role, pid)] = role
        for each in [each for each, until in stopped.items() if time.monotonic() >= until]:
            del stopped[each]
            os.kill(each, signal.SIGCONT)


def _fork(role: Role, died: int | None) -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(role(died))
    return pid


if __name__ == "__main__":
    hooks.install()
    keep([serve, *[work] * int(sys.argv[1])])
