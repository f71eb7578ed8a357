"""The time by SQS's clock, which all machines share, as far as its answers tell it."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

from ..clock import now_ms

#: Answers are dated to the second, and are on their way for a while: below this the clocks agree, in
#: milliseconds.
TOLERANCE_MS = 2_000


class ServiceClock:
    """This machine's clock, put right by the dates of SQS's answers.

    Parameters:
      clock: this machine's, in milliseconds since the epoch.
    """

    def __init__(self, clock: Callable[[], int] = now_ms) -> None:
        self._clock = clock
        self._ahead_ms = 0  # how far SQS's clock is ahead of this machine's

    def learn(self, date: str | None) -> None:
        """Take in the Date header of an answer that has just come. One that is none tells nothing."""
        if date is None:
            return
        try:
            at_ms = int(parsedate_to_datetime(date).timestamp() * 1000)
        except ValueError:
            return
        ahead_ms = at_ms + 500 - self._clock()  # in the middle of the second
        self._ahead_ms = ahead_ms if abs(ahead_ms) > TOLERANCE_MS else 0

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        return self._clock() + self._ahead_ms
