"""Whether the stores that a process needs take writes: checked when asked, and once in a while at most."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from dramatiq.errors import BrokerError

logger = logging.getLogger(__name__)

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
    """One store, and how its last check ended.

    A store that must first be opened can take longer than it was given. Its check goes on in a thread of its
    own, so that no caller waits for longer, and no other check is begun beside it.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._beginning = threading.Lock()
        self._has_ended = threading.Event()
        self._has_ended.set()
        self._trouble: str | None = None
        self._good_until = float("-inf")

    def trouble(self) -> str | None:
        with self._beginning:
            if self._has_ended.is_set() and self._clock() >= self._good_until:
                self._begin()
        if not self._has_ended.wait(WITHIN_S):
            return f"No answer within {WITHIN_S:g} s"
        return self._trouble

    def _begin(self) -> None:
        self._has_ended.clear()
        try:
            threading.Thread(target=self._run, name="recado-check", daemon=True).start()
        except RuntimeError as error:  # there can be no more threads
            self._trouble = str(error)
            self._has_ended.set()

    def _run(self) -> None:
        try:
            self._store.check(timeout_s=WITHIN_S)
        except Exception as error:  # whatever it is, the store cannot be relied on
            if not isinstance(error, BrokerError):
                logger.exception("A check failed in an unexpected way")
            self._trouble = str(error)
        else:
            self._trouble = None
        finally:
            self._good_until = self._clock() + GOOD_FOR_S
            self._has_ended.set()
