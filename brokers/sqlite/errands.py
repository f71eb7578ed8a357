"""Work beside the commits, that nobody waits for."""

from __future__ import annotations

import threading
from collections.abc import Callable

#: How long closing waits for an errand, in seconds.
CLOSES_WITHIN_S = 10.0


class Errands:
    """One errand at a time, by a thread that lives for as long as it takes.

    Parameters:
      name: the thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self, errand: Callable[[], None]) -> None:
        """Have it done, unless one is going on already. For one thread at a time.

        Raises:
          RuntimeError: there can be no more threads.
        """
        if self._thread is None or not self._thread.is_alive():
            thread = threading.Thread(target=errand, name=self._name, daemon=True)
            thread.start()
            self._thread = thread

    def rest(self, seconds: float) -> bool:
        """Within an errand: wait. Returns, early, whether it should end."""
        return self._closing.wait(seconds)

    def close(self) -> None:
        """Wait for what is going on; not for ever, since it may wait at the gate for a stopped process."""
        self._closing.set()
        if self._thread is not None:
            self._thread.join(CLOSES_WITHIN_S)
