"""One of several backends that are used as one: whether it is away, and what it is to be told then."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable

from ..backend import Room
from ..errors import EngineError
from ..records import Delivery
from .backend import RedisBackend

logger = logging.getLogger(__name__)

#: How long no messages are asked of a shard that is away, in seconds: at first, and at most. Where it hangs,
#: each attempt takes as long as its timeout.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0


class Shard:
    """A backend among others.

    Parameters:
      number: which one it is.
      backend: the backend.

    Attributes:
      is_away: it did not answer when it was last asked for messages, or told of one.
    """

    def __init__(self, number: int, backend: RedisBackend) -> None:
        self.backend = backend
        self.is_away = False
        self._number = number
        self._pause_s = FIRST_PAUSE_S
        self._ask_at = 0.0
        self._untold: deque[Callable[[], None]] = deque()
        self._telling = threading.Lock()

    def look(self, queue: str, *, limit: int, room: Room, insist: bool) -> list[Delivery] | None:
        """Claim messages; see `RedisBackend.look`. While the shard is away it is asked now and then.

        Raises:
          EngineError: it is away.
        """
        if self.is_away and not insist and time.monotonic() < self._ask_at:
            return []
        try:
            self.tell()
            found = self.backend.look(queue, limit=limit, room=room, insist=insist)
        except EngineError as error:
            self.leave(error)
            raise
        if self.is_away:
            self.is_away, self._pause_s = False, FIRST_PAUSE_S
            logger.warning("Shard %d of the queue is back", self._number)
        return found

    def wait_s(self, queue: str) -> float:
        """Return in how many seconds the shard is worth another look, should no wake-up come."""
        return max(0.0, self._ask_at - time.monotonic()) if self.is_away else self.backend.idle_s(queue)

    def leave(self, error: EngineError) -> None:
        """Note that the shard did not answer."""
        if not self.is_away:
            logger.warning("Shard %d of the queue is away, the others go on: %s", self._number, error)
            self._pause_s = FIRST_PAUSE_S / 2
        self.is_away = True
        self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._ask_at = time.monotonic() + self._pause_s

    def tell_later(self, settle: Callable[[], None]) -> None:
        """Keep what is to become of a message, which this process goes on holding until then."""
        self._untold.append(settle)

    def tell(self) -> None:
        """Tell what was kept, in order.

        Raises:
          EngineError: the shard is still away.
        """
        if not self._untold:
            return
        with self._telling:  # consumers of several queues come here, and the order is that of the telling
            while self._untold:
                self._untold[0]()
                self._untold.popleft()
