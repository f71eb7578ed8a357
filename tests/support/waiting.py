"""What every test may use."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], *, within_s: float = 60.0, every_s: float = 0.01) -> T:
    """Wait until `condition()` is truthy and return what it gave; fail when it never is."""
    deadline = time.monotonic() + within_s
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {within_s:g} s: {condition}"
        time.sleep(every_s)
    return result
