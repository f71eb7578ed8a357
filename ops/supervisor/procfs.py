"""What the kernel knows of a process."""

from __future__ import annotations

import os
from pathlib import Path

_PAGE = os.sysconf("SC_PAGE_SIZE")


def rss_bytes(pid: int) -> int:
    """Its resident memory; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def is_stopped(pid: int) -> bool:
    """Whether a signal or a debugger keeps it from going on; False when it is gone, or without a /proc."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    state = stat.rpartition(")")[2].split()[:1]  # proc(5): the name before may hold anything
    return state in (["T"], ["t"])
