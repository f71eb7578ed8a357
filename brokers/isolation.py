"""Who may run beside whom in this process."""

from __future__ import annotations

import logging
import threading
import time
from typing import Literal

from .backend import Delivery, Lease

logger = logging.getLogger(__name__)

#: How long a message that is to be alone waits for those before it, and others then wait for it, in seconds.
#: Three minutes are more than Recado lets any of its own run.
PATIENCE_S = 180.0

#: What comes of a message at the door: it is in; or is to be alone, and waits for the others; or has to go.
Entry = Literal["in", "alone", "refused"]


class Isolation:
    """Lets a message run alone that would not survive one more crash: a suspect.

    All that runs in a process when it dies counts the crash, the culprit and its neighbours: nobody can tell
    them apart. They come back together, so the same ones would be claimed together, and die together, until
    all of them are set aside. But what dies alone is the culprit, and a neighbour that runs alone gets done.

    Messages enter where they are handed to worker threads, so that what cannot enter now can be given back.

    Parameters:
      max_deliveries: how many workers may die under a message before it is set aside. One is too few to tell
        anybody apart.
      patience_s: how long anybody is waited for, in seconds. Who takes longer is forgotten, and has company.
    """

    def __init__(self, max_deliveries: int, *, patience_s: float = PATIENCE_S) -> None:
        self._crashes_of_a_suspect = max(1, max_deliveries - 1)
        self._patience_s = patience_s
        self._inside: set[Lease] = set()
        # The suspect that shut the door. It is not inside before the others have left.
        self._alone: Delivery | None = None
        # The end of its patience with the others; once it is inside, of theirs with it.
        self._until_s = 0.0
        self._changed = threading.Condition()

    def wait_until_open(self, timeout_s: float) -> bool:
        """Whether messages may enter, now or within `timeout_s` seconds."""
        if self._alone is None:
            return True
        with self._changed:
            return self._changed.wait_for(self._is_open, timeout_s)

    def enter(self, delivery: Delivery) -> Entry:
        """Let a message in while the door is open. A suspect shuts it, and has to `wait_for_others`."""
        if delivery.crashes >= self._crashes_of_a_suspect:
            return self._shut(delivery)
        # Who enters does so first and then looks whether the door is shut. Who shuts it does so first and
        # then looks whether anybody is inside. One of the two sees the other.
        self._inside.add(delivery.lease)
        if self._alone is None:
            return "in"
        with self._changed:
            if self._is_open():
                return "in"
            self._inside.discard(delivery.lease)
            self._changed.notify_all()
            return "refused"

    def wait_for_others(self, suspect: Delivery, *, timeout_s: float) -> bool:
        """Let the suspect that shut the door in, if all others leave within `timeout_s` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_left_to(suspect), timeout_s):
                return False
            self._inside.add(suspect.lease)
            self._be_patient()
            return True

    def leave(self, delivery: Delivery) -> None:
        """It is settled, or given back. Harmless when it never entered."""
        self._inside.discard(delivery.lease)
        if self._alone is not None:
            with self._changed:
                if self._is_alone(delivery):
                    self._alone = None
                self._changed.notify_all()

    def _shut(self, suspect: Delivery) -> Entry:
        with self._changed:
            if not self._is_alone(suspect):  # who waits already may ask again
                if not self._is_open():
                    return "refused"
                self._alone = suspect
                self._be_patient()
            return "alone"

    def _is_alone(self, delivery: Delivery) -> bool:
        return self._alone is not None and self._alone.lease == delivery.lease

    def _is_open(self) -> bool:
        alone = self._alone
        if alone is None:
            return True
        # Who waits is let in when its patience ends. If it still waits as long again after that, its consumer
        # is gone, and it would keep others out for ever.
        more_s = 0.0 if alone.lease in self._inside else self._patience_s
        if time.monotonic() < self._until_s + more_s:
            return False
        logger.warning("Message %s is alone for too long: others run beside it", alone.message_id)
        self._inside.discard(alone.lease)  # so that no other suspect waits for it again
        self._alone = None
        self._changed.notify_all()
        return True

    def _is_left_to(self, suspect: Delivery) -> bool:
        others = len(self._inside)
        if others and time.monotonic() >= self._until_s:
            logger.warning(
                "Message %s should run alone, but %d others run for too long", suspect.message_id, others
            )
            self._inside.clear()
        return not self._inside

    def _be_patient(self) -> None:
        self._until_s = time.monotonic() + self._patience_s
