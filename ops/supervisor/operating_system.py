"""The supervisor's calls to the operating system, each with a fallback where only Linux has it.

Each such facility is looked up when it is first used, so that this module can be imported anywhere.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: Options of prctl(2).
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36

#: How often a child checks that its supervisor lives, where the kernel cannot tell it, in seconds.
PARENT_CHECK_EVERY_S = 0.2

#: For proc_pidinfo(3) of macOS: what is asked for, and the size of the answer (sys/proc_info.h).
_PROC_PIDTASKINFO, _PROC_TASKINFO_BYTES = 4, 96


def die_with_parent(parent_pid: int) -> None:
    """Have this process killed when its parent ends, however the parent ends.

    The child itself calls this, before anything else: code between fork and exec is not safe.

    prctl(2) is Linux's. Elsewhere a thread checks for the parent. A thread cannot run while an actor keeps
    the interpreter's lock, so such a process dies when that actor gives the lock back.

    Parameters:
      parent_pid: the process id of the parent. If that process is gone already, this process exits here.
    """
    is_kernel_watching = _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        os._exit(1)
    if not is_kernel_watching:
        threading.Thread(
            target=_watch_parent, args=(parent_pid,), name="recado-parent-watch", daemon=True
        ).start()


def _watch_parent(parent_pid: int) -> None:
    while os.getppid() == parent_pid:
        time.sleep(PARENT_CHECK_EVERY_S)
    os.kill(os.getpid(), signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, so that this process waits for its end.

    Where the kernel cannot do that, process 1 adopts the orphans and waits for them.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, argument: int) -> bool:
    """Call prctl(2); return False where the kernel has none."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        prctl = libc.prctl
    except AttributeError:
        return False
    if prctl(option, ctypes.c_ulong(argument), 0, 0, 0):
        errno = ctypes.get_errno()
        raise OSError(errno, f"prctl({option}): {os.strerror(errno)}")
    return True


def reap() -> Iterator[tuple[int, int]]:
    """Wait for every process that has ended below this one: its own children, and adopted ones.

    What is left of the process's group is killed as well.

    Yields:
      The process id, and the exit code or minus the signal's number.
    """
    # Python has waitid(2) on macOS since 3.13.
    reap_next = _reap_next if hasattr(os, "waitid") else _reap_next_without_waitid
    while (ended := reap_next()) is not None:
        pid, status = ended
        yield pid, os.waitstatus_to_exitcode(status)


def _reap_next() -> tuple[int, int] | None:
    """Kill the group of an ended process, then wait for the process: so its number is not another's yet."""
    try:
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return None
    if ended is None:
        return None
    kill_group(ended.si_pid)
    return os.waitpid(ended.si_pid, 0)


def _reap_next_without_waitid() -> tuple[int, int] | None:
    """Wait for an ended process, then kill its group.

    The kernel gives no new process the number of a group that has members. If the group is empty, a new
    process could get the number between the two calls. Kernels use all other numbers first.
    """
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    if not pid:
        return None
    kill_group(pid)
    return pid, status


def kill_group(leader_pid: int) -> None:
    """Send SIGKILL to a child that leads a session of its own, and to all it started there.

    Parameters:
      leader_pid: the child's process id.
    """
    with suppress(ProcessLookupError, PermissionError):  # an adopted process leads no group
        os.killpg(leader_pid, signal.SIGKILL)


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process, in bytes.

    It is 0 when the process is gone, and on systems that are neither Linux nor macOS: there no memory limit
    applies.
    """
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return _rss_bytes_on_macos(pid)


def _rss_bytes_on_macos(pid: int) -> int:
    """Call proc_pidinfo(3), which fills a `struct proc_taskinfo`: its second number is the resident size."""
    try:
        proc_pidinfo = ctypes.CDLL(None).proc_pidinfo
    except AttributeError:
        return 0
    info = (ctypes.c_uint64 * (_PROC_TASKINFO_BYTES // 8))()
    arguments = (pid, _PROC_PIDTASKINFO, ctypes.c_uint64(0), ctypes.byref(info), _PROC_TASKINFO_BYTES)
    return info[1] if proc_pidinfo(*arguments) == _PROC_TASKINFO_BYTES else 0
