"""Acknowledgements: no caller waits for them, so they are committed together."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping, Sequence

from .records import Delivery, Receipt


class AckBuffer:
    """Gathers acks until the next commit takes them, at most a few milliseconds later.

    Appending to a deque is atomic, so worker threads take the lock only when a batch has to be started.

    Parameters:
      start_batch: hands a writer the lazy operation that will `take` what is gathered when its turn comes.
    """

    def __init__(self, start_batch: Callable[[], None]) -> None:
        self._start_batch = start_batch
        self._waiting: deque[Delivery] = deque()
        self._is_started = False
        self._starting = threading.Lock()

    def add(self, delivery: Delivery) -> None:
        """Gather one more.

        Raises:
          EngineError: it could not be handed to the writer. Dramatiq tries again.
        """
        self._waiting.append(delivery)
        if not self._is_started:
            with self._starting:
                if self._is_started:
                    return
                self._is_started = True
            try:
                self._start_batch()
            except BaseException:
                self._is_started = False  # or all acks to come would wait for a batch that never was
                raise

    def take(self) -> list[Delivery]:
        """Take what waits now. An ack that comes later starts another batch."""
        self._is_started = False  # before taking: an ack that is not taken finds it unset
        return [self._waiting.popleft() for _ in range(len(self._waiting))]


def by_claim(deliveries: Sequence[Delivery]) -> Mapping[tuple[str, int], list[Receipt]]:
    """Group the receipts of deliveries by the queue and the token that they were claimed under.

    An engine settles a claim's messages together: what it does once for each claim rather than for each
    message, it need not do in between busy workers.
    """
    claims: defaultdict[tuple[str, int], list[Receipt]] = defaultdict(list)
    for delivery in deliveries:
        claims[delivery.queue, delivery.token].append(delivery.receipt)
    return claims
