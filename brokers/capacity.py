"""How many messages a process holds, of all its queues together."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .prefetch_window import PrefetchWindow


class Capacity:
    """The worker threads of a process, which its queues share.

    Were each queue to hold a message for each thread, four queues would hold four messages for each, and what
    waits behind a slow one an idle process could run. So all windows together hold as many as there are
    threads, and beyond that only what each queue's own rate adds.

    Parameters:
      most: returns how many messages they may hold, with those that wait for another party; None for no
        limit.

    Attributes:
      changed: notified when there is room for a window that waits.
      waiting: the windows whose consumers wait for room.
    """

    def __init__(self, most: Callable[[], int] | None = None) -> None:
        self._most = most
        self._windows: tuple[PrefetchWindow, ...] = ()
        self._threads = 0
        self.changed = threading.Condition()
        self.waiting: frozenset[PrefetchWindow] = frozenset()

    def join(self, window: PrefetchWindow) -> None:
        """Have one more window share the threads."""
        with self.changed:
            self._windows += (window,)
            self._threads = max(self._threads, window.floor)

    def free(self) -> int:
        """How many more messages the windows may hold together. It may be too few for a moment."""
        free = self._threads
        for window in self._windows:
            free += window.extra - window.held
        if self._most is not None:
            free = min(free, self._most() - sum(window.claimed for window in self._windows))
        return free

    def notify(self) -> None:
        """Messages were settled: wake the consumers, if there is room for one that waits."""
        for window in self.waiting:
            if window.has_room():
                with self.changed:
                    self.changed.notify_all()
                return
