"""Runs work beside the commits, for which no caller waits."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: How long closing waits for the work that runs, in seconds.
CLOSES_WITHIN_S = 10.0


class BackgroundTask:
    """Runs one piece of work at a time, on a thread that lives for as long as the work takes.

    Parameters:
      name: the thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], None]) -> None:
        """Start the work, unless some is running. For one thread at a time.

        Raises:
          RuntimeError: the process can have no more threads.
        """
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=work, name=self._name, daemon=True)
            thread.start()
            self._thread = thread

    def pause(self, seconds: float) -> bool:
        """Wait, from within the work; return whether the work should end. Closing ends the wait early."""
        return self._closing.wait(seconds)

    def close(self) -> None:
        """Wait for the work that runs; not for ever, since it may wait for the lock of a stopped process."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(CLOSES_WITHIN_S)
