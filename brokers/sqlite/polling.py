"""Waiting for something another process writes, where nobody rings."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Pauses between two looks, in seconds: short at first, because most waits are, then kind to the CPU.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.02


def poll(look: Callable[[], T | None], timeout_s: float) -> T | None:
    """Call `look` until it gives something or time is up."""
    deadline = time.monotonic() + timeout_s
    pause_s = FIRST_PAUSE_S
    while (found := look()) is None:
        remaining_s = deadline - time.monotonic()
        if remaining_s <= 0:
            return None
        time.sleep(min(pause_s, remaining_s))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
    return found
