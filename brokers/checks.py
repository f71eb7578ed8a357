"""Whether the stores that a process needs take writes: checked when asked, and once in a while at most."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from dramatiq.errors import BrokerError

#: How long a store may take to prove that it works, in seconds.
WITHIN_S = 2.0

#: For how long the outcome of a check is good, in seconds.
GOOD_FOR_S = 2.0


class Store(Protocol):
    """Something that keeps what must not be lost: a queue, conversations, a log."""

    def check(self, *, timeout_s: float) -> None:
        """Prove that it takes a durable write now.

        Raises:
          BrokerError: it could not within `timeout_s` seconds; the message says why.
        """
        ...


class Checks:
    """Checks several stores, side by side, and remembers each outcome for a moment.

    Parameters:
      stores: by the name under which their troubles are told.
      clock: seconds, monotonic.
    """

    def __init__(self, stores: Mapping[str, Store], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._checks = {name: _Check(store, clock) for name, store in stores.items()}

    @property
    def names(self) -> list[str]:
        """Which stores these are."""
        return list(self._checks)

    def troubles(self) -> dict[str, str]:
        """Why a store cannot be used, by name, of each that cannot. Takes no longer than one check."""
        if not self._checks:
            return {}
        with ThreadPoolExecutor(len(self._checks), thread_name_prefix="recado-check") as threads:
            outcomes = threads.map(_Check.trouble, self._checks.values())
            return {
                name: trouble
                for name, trouble in zip(self._checks, outcomes, strict=True)
                if trouble is not None
            }


class _Check:
    """One store, and how its last check ended."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._checking = threading.Lock()
        self._trouble: str | None = None
        self._good_until = float("-inf")

    def trouble(self) -> str | None:
        with self._checking:
            if self._clock() >= self._good_until:
                try:
                    self._store.check(timeout_s=WITHIN_S)
                except BrokerError as error:
                    self._trouble = str(error)
                else:
                    self._trouble = None
                self._good_until = self._clock() + GOOD_FOR_S
            return self._trouble
