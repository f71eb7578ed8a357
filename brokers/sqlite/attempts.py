"""Spacing out the attempts to open a database that cannot be opened."""

from __future__ import annotations

import time

from ..errors import EngineError

#: The first pause, and the longest, in seconds. The first failure has none: what failed may be over already.
FIRST_S, LONGEST_S = 0.02, 1.0


class Attempts:
    """Remembers the last failure, and for how long it is the answer. For one thread at a time."""

    def __init__(self) -> None:
        self._why: str | None = None  # not the error itself: it would keep all that its frames refer to
        self._pause_s = 0.0
        self._next_at = 0.0

    def refuse_if_too_soon(self) -> None:
        """Raise the last failure again while its pause lasts: no caller has to wait to learn it.

        Raises:
          EngineError: what the last attempt raised.
        """
        if self._why is not None and time.monotonic() < self._next_at:
            raise EngineError(self._why)

    def failed(self, error: EngineError) -> EngineError:
        """Note that an attempt failed; return the error, to be raised.

        The next attempt is made after a pause, twice as long each time.
        """
        self._why = str(error)
        self._next_at = time.monotonic() + self._pause_s
        self._pause_s = min(LONGEST_S, max(FIRST_S, 2 * self._pause_s))
        return error

    def succeeded(self) -> None:
        """Note that an attempt succeeded."""
        self._why, self._pause_s = None, 0.0
