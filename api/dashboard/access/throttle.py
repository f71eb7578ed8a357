"""Limits how often a password may be tried."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Literal

from api.users import MAX_NAME

from .sessions import KnownBrowser

#: Wrong passwords that one address, or one known browser, may send within the window, or strangers for one
#: name; and all addresses together, or all browsers of viewers.
TRIES, TRIES_OF_ALL = 10, 100

#: The window, in seconds.
WINDOW_S = 60.0

#: How many addresses are remembered. Those of the longest ago are forgotten first.
REMEMBERED = 1_000


#: What failures are counted by: a kind, and a name of that kind.
Counted = tuple[Literal["browser", "viewers", "address", "name", "all"], str]


class Throttle:
    """Counts failures by address and name, and by browser where that user's password was right before.

    The failures of strangers, from one address or from all, do not keep a known browser waiting: it waits for
    its own failures only. Viewers could make their browsers known again and again, to guess the password of
    operators in the same form, so theirs are counted together as well.

    Parameters:
      clock: seconds, monotonic.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counting = threading.Lock()
        self._failures: OrderedDict[Counted, list[float]] = OrderedDict()

    def wait_s(self, address: str, browser: KnownBrowser | None = None, *, name: str = "") -> int:
        """Return how long to wait before the next try, in whole seconds; 0: not at all.

        Parameters:
          address: where the try comes from.
          browser: one in which the password of this very user was right before; None for any other.
          name: the key of the user whose password is tried, there or not; empty without a name.
        """
        with self._counting:
            now = self._clock()
            waits = [
                recent[-limit] + WINDOW_S - now
                for counted, limit in _counted(address, browser, name)
                if len(recent := self._recent(counted)) >= limit
            ]
            return max(0, *(int(wait) + 1 for wait in waits)) if waits else 0

    def failed(self, address: str, browser: KnownBrowser | None = None, *, name: str = "") -> None:
        """Count a wrong password.

        Parameters:
          address, browser, name: as of `wait_s`.
        """
        with self._counting:
            for counted, _ in _counted(address, browser, name):
                self._failures[counted] = [*self._recent(counted), self._clock()]
                self._failures.move_to_end(counted)
            while len(self._failures) > REMEMBERED:
                self._failures.popitem(last=False)

    def _recent(self, counted: Counted) -> list[float]:
        since = self._clock() - WINDOW_S
        return [at for at in self._failures.get(counted, ()) if at > since]


def _counted(address: str, browser: KnownBrowser | None, name: str) -> Sequence[tuple[Counted, int]]:
    """Return by what a try is counted, and up to how many."""
    if browser is not None:
        by_itself: tuple[Counted, int] = (("browser", browser.name), TRIES)
        is_viewer = browser.account == "viewer"
        return (by_itself, (("viewers", ""), TRIES_OF_ALL)) if is_viewer else (by_itself,)
    of_strangers: Sequence[tuple[Counted, int]] = ((("address", address), TRIES), (("all", ""), TRIES_OF_ALL))
    return (*of_strangers, (("name", name[:MAX_NAME]), TRIES)) if name else of_strangers
