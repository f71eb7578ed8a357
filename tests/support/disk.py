"""A small disk of one's own, which can be filled up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(point: Path, *, megabytes: int) -> Iterator[Path]:
    """Mount a file system of that size, in memory. Where that is not allowed the test is skipped."""
    point.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(point)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("a disk cannot be mounted here")
    try:
        yield point
    finally:
        subprocess.run(["umount", "--lazy", str(point)], check=True)


def free_bytes(point: Path) -> int:
    """How much is free."""
    disk = os.statvfs(point)
    return disk.f_bavail * disk.f_frsize
