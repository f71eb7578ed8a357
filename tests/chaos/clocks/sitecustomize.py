"""Sets the wall clock of a process of Recado's when Python starts: by the seconds in the file CLOCK_FILE.

The file is read each time, so that the clock can jump while the process runs. The monotonic clock, which
says how long something takes, goes on as before, as it does when a machine's clock is set. Nothing of the
product knows of this.
"""

from __future__ import annotations

import os
import time
from pathlib import Path


def _set_clock(file: Path) -> None:
    real_ns = time.time_ns

    def time_ns() -> int:
        return real_ns() + int(file.read_text() or 0) * 1_000_000_000

    def seconds() -> float:
        return time_ns() / 1e9

    time.time_ns, time.time = time_ns, seconds


if path := os.environ.get("CLOCK_FILE"):
    _set_clock(Path(path))
