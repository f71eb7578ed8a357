"""When a commit may begin, while others are going on."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Turns(Protocol):
    """Who may commit now. Every begin has its end.

    Attributes:
      at_once: how many commits may go on at the same time.
    """

    at_once: int

    def begin(self) -> None:
        """Wait for one's turn, and take it."""
        ...

    def try_begin(self) -> bool:
        """Take a turn if nobody else has one."""
        ...

    def end(self) -> None:
        """Be done."""
        ...

    def await_all(self) -> None:
        """Return when nobody has a turn."""
        ...


class OneByOne:
    """One commit after the other."""

    at_once = 1

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def begin(self) -> None:
        self._lock.acquire()

    def try_begin(self) -> bool:
        return self._lock.acquire(blocking=False)

    def end(self) -> None:
        self._lock.release()

    def await_all(self) -> None:
        with self._lock:
            pass


class Paced:
    """One commit after the other, unless they are slow: then one each `pace_s` seconds.

    A server that syncs its file once a second answers all who wait for it at the same moment. Who comes
    while another waits must be on its way before that moment, or would wait for the next one.

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

    def begin(self) -> None:
        with self._changed:
            while (wait_s := self._wait_s()) > 0:
                self._changed.wait(wait_s)
            self._take()

    def try_begin(self) -> bool:
        with self._changed:
            if self._going_on:
                return False
            self._take()
            return True

    def end(self) -> None:
        with self._changed:
            self._going_on -= 1
            self._changed.notify_all()

    def await_all(self) -> None:
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
