"""How fast the disk makes anything durable: what every durable enqueue is measured against."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

from .figures import Figure, figure
from .harness import Bench, apart

TITLE = "The disk: 4 KiB writes, each followed by fdatasync"

#: Whose figures these are.
SUBJECT = "the disk"

BLOCK = b"x" * 4096

#: How many blocks the file has that is overwritten.
OVERWRITTEN_BLOCKS = 4_096


def measure(bench: Bench) -> list[Figure]:
    seconds = bench.size(3.0, 0.3)
    rates = bench.interleaved(
        {
            "appends": apart(appends_per_second, seconds=seconds),
            "overwrites": apart(overwrites_per_second, seconds=seconds),
        }
    )
    return [
        figure("appends to a growing file", "/s", rates["appends"]),
        figure("overwrites in a file", "/s", rates["overwrites"]),
    ]


def appends_per_second(directory: Path, *, seconds: float) -> float:
    """How many blocks a second one thread appends and syncs."""
    fd = os.open(directory / "appended", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        return _syncs_per_second(lambda _: os.write(fd, BLOCK), fd, seconds)
    finally:
        os.close(fd)


def overwrites_per_second(directory: Path, *, seconds: float) -> float:
    """How many blocks a second one thread overwrites and syncs."""
    fd = os.open(directory / "overwritten", os.O_WRONLY | os.O_CREAT)
    try:
        for _ in range(OVERWRITTEN_BLOCKS):
            os.write(fd, BLOCK)
        os.fsync(fd)
        return _syncs_per_second(
            lambda n: os.pwrite(fd, BLOCK, n % OVERWRITTEN_BLOCKS * len(BLOCK)), fd, seconds
        )
    finally:
        os.close(fd)


def _syncs_per_second(write: Callable[[int], int], fd: int, seconds: float) -> float:
    count, began = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - began) < seconds:
        write(count)
        os.fdatasync(fd)
        count += 1
    return count / elapsed
