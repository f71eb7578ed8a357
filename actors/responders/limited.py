"""As many calls of a responder at a time as it takes: fewer when it says that these are too many."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..answer import Answer
from ..conversation import Conversation
from ..metrics import metrics
from .asking import Asked
from .responder import ResponderUnavailable

#: What is left of the calls in flight when one more was too many. As in the congestion control of TCP, where
#: it is 0.7 (RFC 9438, section 4.6); less is given up here, because a call takes seconds, not milliseconds.
LEFT = 0.9

#: How fast the limit grows again: by this share of itself in the time of one call, for each second since the
#: last refusal. So it feels its way at first, and has found back after minutes without one.
GROWTH_PER_S = 0.004

#: The longest pause of all calls that one answer can ask for, in seconds. After it one call finds out more.
LONGEST_PAUSE_S = 30.0

#: No pause takes a larger share of a message's time: what it was to be answered with would be too late.
LARGEST_SHARE = 0.1


class CallLimit:
    """How many calls this process may have in flight, found out by what becomes of them.

    It takes no lock, because actors' threads are interrupted anywhere. Of two that change the limit at once
    one may go unheard; the next call makes that good.

    Parameters:
      most: how many at most.
      max_age_ms: how old a message may be when it is answered, in milliseconds; None for no limit.
      clock: in seconds.
    """

    def __init__(
        self, most: int, *, max_age_ms: int | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._longest_pause_s = (
            LONGEST_PAUSE_S if not max_age_ms else min(LONGEST_PAUSE_S, LARGEST_SHARE * max_age_ms / 1000)
        )
        self._clock = clock
        self._limit = float(most)
        self._calls: set[object] = set()
        self._refused_s = float("-inf")
        self._paused_until_s = float("-inf")

    def __call__(self) -> int:
        """How many may be in flight now; 0 in a pause."""
        return 0 if self._clock() < self._paused_until_s else int(self._limit)

    def pause(self, pause_s: float) -> None:
        """Hand out no message that needs a call for so long, in seconds: another worker says so."""
        self._paused_until_s = max(self._paused_until_s, self._clock() + self.bounded(pause_s))

    def bounded(self, pause_s: float) -> float:
        """Return how much of a pause is kept, in seconds."""
        return min(pause_s, self._longest_pause_s)

    @contextmanager
    def call(self) -> Iterator[None]:
        """While inside, a call is in flight. What it raises tells whether it was one too many."""
        call = object()
        try:
            self._calls.add(call)
            yield
        except ResponderUnavailable as error:
            self._calls.discard(call)
            if error.overloaded:
                self._refused(error.delay)
            raise
        else:
            self._grow()
        finally:
            self._calls.discard(call)

    def _refused(self, pause_ms: int | None) -> None:
        # The others in flight are not refused, or will say so themselves, and then fewer are left.
        self._limit = max(1.0, min(self._limit, LEFT * len(self._calls)))
        self._refused_s = self._clock()
        self.pause((pause_ms or 0) / 1000)

    def _grow(self) -> None:
        if self._limit < self._most:
            share = min(1.0, GROWTH_PER_S * (self._clock() - self._refused_s))
            self._limit = min(self._most, self._limit + max(1 / self._limit, share))


class LimitedResponder:
    """Tells a limit of each call.

    Parameters:
      responder: the one that answers.
      limit: this process's.
    """

    def __init__(self, responder: Asked, limit: CallLimit) -> None:
        self._responder = responder
        self._limit = limit

    def respond(self, conversation: Conversation) -> Answer:
        try:
            with self._limit.call():
                return self._responder.respond(conversation)
        finally:
            metrics().ai_calls_limit.set(self._limit())
