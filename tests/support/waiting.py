"""What every test may use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


#: How soon the first questions follow each other, and by how much more rarely each next one, until it is
#: seldom enough: what is waited for shares the machine with the test.
FIRST_S, MORE_RARELY, RARELY_S = 0.01, 1.2, 0.05


def eventually(condition: Callable[[], T], *, within_s: float = 60.0, every_s: float | None = None) -> T:
    """Wait until `condition()` is truthy and return what it gave; fail when it never is."""
    deadline = time.monotonic() + within_s
    pause_s = every_s or FIRST_S
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {condition}"
        time.sleep(pause_s)
        if every_s is None:
            pause_s = min(pause_s * MORE_RARELY, RARELY_S)
    return result
