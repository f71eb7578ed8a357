"""How often a password may be tried."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

#: Wrong passwords that one address may send within the window, and all addresses together.
TRIES, TRIES_OF_ALL = 10, 100

#: The window, in seconds.
WINDOW_S = 60.0

#: How many addresses are remembered. Those of the longest ago are forgotten first.
REMEMBERED = 1_000


class Throttle:
    """Counts failures by address.

    Parameters:
      clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counting = threading.Lock()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """How long an address has to wait before it may try again, in whole seconds; 0: not at all."""
        with self._counting:
            now = self._clock()
            waits = [
                recent[-limit] + WINDOW_S - now
                for recent, limit in ((self._recent(address), TRIES), (self._recent(""), TRIES_OF_ALL))
                if len(recent) >= limit
            ]
            return max(0, *(int(wait) + 1 for wait in waits)) if waits else 0

    def failed(self, address: str) -> None:
        """A wrong password came from an address."""
        with self._counting:
            for who in (address, ""):  # the empty name is everybody's
                self._failures[who] = [*self._recent(who), self._clock()]
                self._failures.move_to_end(who)
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def _recent(self, who: str) -> list[float]:
        since = self._clock() - WINDOW_S
        return [at for at in self._failures.get(who, ()) if at > since]
