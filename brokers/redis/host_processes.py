"""Asks the kernel whether a process of this machine lives, whatever the process itself has time to say.

A process can be silent and alive: one of its threads keeps the interpreter to itself in a long call of C, or
the process is stopped. To run its messages elsewhere then would be to run them twice.
"""

from __future__ import annotations

import os
import socket
from functools import cache
from pathlib import Path

#: Fields of /proc/<pid>/stat after the process's name, see proc(5): its state, and when it started, in clock
#: ticks since the machine did.
_STATE, _STARTED = 0, 19

#: States of a process that has ended, and whose parent does not know yet.
_ENDED = ("Z", "X")


@cache
def this_host() -> str:
    """This machine, or this container: where a process id means one process."""
    try:
        boot_id = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot_id}/{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:  # no Linux
        return socket.gethostname()


def started_at(pid: int) -> str:
    """What tells a process from a later one with its number; empty where the system does not say."""
    fields = _stat(pid)
    return fields[_STARTED] if fields else ""


def is_alive(pid: int, started: str) -> bool:
    """Whether the process of this machine lives that had this number and start.

    Parameters:
      pid: its number.
      started: what `started_at` said of it; empty where it said nothing.
    """
    fields = _stat(pid)
    if fields and started:
        return fields[_STARTED] == started and fields[_STATE] not in _ENDED
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True  # another user's
    return True


def _stat(pid: int) -> list[str]:
    try:
        # The name is in parentheses, and may have any character in it.
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return []
