"""Waits for a value that another process writes, where no wake-up comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: The pauses between two polls, in seconds: short at first, because most waits are short, then kind to the
#: CPU.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.02


def poll(read: Callable[[], T | None], timeout_s: float) -> T | None:
    """Call `read` until it returns something; return None when `timeout_s` seconds are over."""
    deadline = time.monotonic() + timeout_s
    pause_s = FIRST_PAUSE_S
    while (found := read()) is None:
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            return None
        time.sleep(min(pause_s, remaining_s))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    return found
