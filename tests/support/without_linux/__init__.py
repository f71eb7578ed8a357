"""Runs Python as on a system that has none of Linux's own system calls."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

_HERE = Path(__file__).parent
_ROOT = _HERE.parents[2]


def run_without_linux(*arguments: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments; it and its children find `sitecustomize` on their path.

    Parameters:
      timeout_s: how long it may take, in seconds.
    """
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join((str(_HERE), str(_ROOT)))
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
