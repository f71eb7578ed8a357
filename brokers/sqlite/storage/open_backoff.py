"""Spaces out the attempts to open a database that cannot be opened."""

from __future__ import annotations

import time

from ...errors import EngineError

#: The first pause, and the longest, in seconds. After the first failure there is none: its cause may be over.
FIRST_S, LONGEST_S = 0.02, 1.0


class OpenBackoff:
    """Remembers the last failure, and how long callers get it as their answer. For one thread at a time."""

    def __init__(self) -> None:
        self._why: str | None = None  # not the error itself: it would keep all that its frames refer to
        self._pause_s = 0.0
        self._next_at = 0.0

    def refuse_if_too_soon(self) -> None:
        """Raise the last failure again while its pause lasts, so that no caller waits to learn of it.

        Raises:
          EngineError: the error of the last attempt.
        """
        if self._why is not None and time.monotonic() < self._next_at:
            raise EngineError(self._why)

    def failed(self, error: EngineError) -> EngineError:
        """Note that an attempt failed; return the error, for the caller to raise.

        The next attempt is made after a pause, which is twice as long each time.
        """
        self._why = str(error)
        self._next_at = time.monotonic() + self._pause_s
        self._pause_s = min(LONGEST_S, max(FIRST_S, 2 * self._pause_s))
        return error

    def succeeded(self) -> None:
        """Note that an attempt succeeded."""
        self._why, self._pause_s = None, 0.0
