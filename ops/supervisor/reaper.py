"""Waits for every process that ends below this one, its own children or adopted."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress


def reap() -> Iterator[tuple[int, int]]:
    """The processes that have ended: process id, and exit code or minus the signal's number.

    What is left of a process's group is killed before its number can become another's.
    """
    while True:
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        kill_group(ended.si_pid)
        _, status = os.waitpid(ended.si_pid, 0)
        yield ended.si_pid, os.waitstatus_to_exitcode(status)


def kill_group(leader: int) -> None:
    """SIGKILL to a child that leads a session of its own, and to all it started there.

    Parameters:
      leader: its process id; it must not have been waited for.
    """
    with suppress(ProcessLookupError, PermissionError):  # an adopted process leads no group
        os.killpg(leader, signal.SIGKILL)
