"""Slots for commits: how many may go on at the same time, and when the next may begin."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class CommitSlots(Protocol):
    """Lets a thread commit. Each slot that is acquired is released.

    Attributes:
      at_once: how many commits may go on at the same time.
    """

    at_once: int

    def acquire(self) -> None:
        """Wait for a slot, and take it."""
        ...

    def try_acquire(self) -> bool:
        """Take a slot if no other thread has one; return whether it was taken."""
        ...

    def release(self) -> None:
        """Give the slot back."""
        ...

    def wait_idle(self) -> None:
        """Return when no thread has a slot."""
        ...


class SingleSlot:
    """Lets one commit follow the other."""

    at_once = 1

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def acquire(self) -> None:
        self._lock.acquire()

    def try_acquire(self) -> bool:
        return self._lock.acquire(blocking=False)

    def release(self) -> None:
        self._lock.release()

    def wait_idle(self) -> None:
        with self._lock:
            pass


class PacedSlots:
    """Lets one commit follow the other, unless they are slow: then one begins each `pace_s` seconds.

    A server that syncs its file once a second answers all waiting commits at the same moment. A commit that
    comes while another one waits must be on its way before that moment, or it would wait for the next one.

    Parameters:
      pace_s: how long one commit keeps the next from beginning, in seconds.
      at_once: how many go on at the same time.
    """

    def __init__(self, *, pace_s: float, at_once: int) -> None:
        self.at_once = at_once
        self._pace_s = pace_s
        self._going_on = 0
        self._began_at = 0.0
        self._changed = threading.Condition()

    def acquire(self) -> None:
        with self._changed:
            while (wait_s := self._wait_s()) > 0:
                self._changed.wait(wait_s)
            self._take()

    def try_acquire(self) -> bool:
        with self._changed:
            if self._going_on:
                return False
            self._take()
            return True

    def release(self) -> None:
        with self._changed:
            self._going_on -= 1
            self._changed.notify_all()

    def wait_idle(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._going_on)

    def _take(self) -> None:
        self._going_on += 1
        self._began_at = time.monotonic()

    def _wait_s(self) -> float:
        if not self._going_on:
            return 0.0
        if self._going_on >= self.at_once:
            return threading.TIMEOUT_MAX
        return self._began_at + self._pace_s - time.monotonic()
