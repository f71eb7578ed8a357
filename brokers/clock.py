"""The clock that delays and ages are told by."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Milliseconds since the epoch: the wall clock, because delays must outlive the process that asked."""
    return time.time_ns() // 1_000_000
