"""Lets a message run alone in its process when one more crash would be its end."""

from __future__ import annotations

import logging
import threading
import time
from typing import Literal

from .records import Delivery, Lease

logger = logging.getLogger(__name__)

#: How long a message that is to be alone waits for those before it, and others then wait for it, in seconds.
#: Three minutes are more than Recado lets any of its own run.
PATIENCE_S = 180.0

#: What becomes of a message that is to run: it may; or it is to run alone, and waits for the others; or it
#: may not now.
Admission = Literal["admitted", "exclusive", "refused"]


class PoisonGuard:
    """Lets a message run alone that would not survive one more crash: a suspect.

    All that runs in a process when it dies counts the crash, the culprit and its neighbours, which cannot be
    told apart. They come back together, so the same ones would be claimed together, and die together, until
    all of them are set aside. But what dies alone is the culprit, and a neighbour that runs alone gets done.

    Messages are admitted where they are handed to worker threads, so that one that may not run now can be
    given back.

    Parameters:
      max_deliveries: how many workers may die under a message before it is set aside. One is too few to tell
        the culprit from its neighbours.
      patience_s: how long the guard waits for running messages, in seconds. One that takes longer is no
        longer waited for, and others run beside it.
    """

    def __init__(self, max_deliveries: int, *, patience_s: float = PATIENCE_S) -> None:
        self._crashes_of_a_suspect = max(1, max_deliveries - 1)
        self._patience_s = patience_s
        self._running: set[Lease] = set()
        # The suspect that is to run alone. It does not run before the others have ended.
        self._exclusive: Delivery | None = None
        # When its patience with the others ends; once it runs, when theirs with it does.
        self._until_s = 0.0
        self._changed = threading.Condition()

    def wait_until_open(self, timeout_s: float) -> bool:
        """Return whether messages may run, now or within `timeout_s` seconds."""
        if self._exclusive is None:
            return True
        with self._changed:
            return self._changed.wait_for(self._is_open, timeout_s)

    def admit(self, delivery: Delivery) -> Admission:
        """Let a message run, unless a suspect is to run alone. A suspect has to `wait_for_others`."""
        if delivery.crashes >= self._crashes_of_a_suspect:
            return self._shut(delivery)
        # This thread first adds its message to `_running`, then reads `_exclusive`. The thread that makes a
        # message exclusive first sets `_exclusive`, then reads `_running`. So at least one of the two sees
        # the other, and the common path takes no lock.
        self._running.add(delivery.lease)
        if self._exclusive is None:
            return "admitted"
        with self._changed:
            if self._is_open():
                return "admitted"
            self._running.discard(delivery.lease)
            self._changed.notify_all()
            return "refused"

    def wait_for_others(self, suspect: Delivery, *, timeout_s: float) -> bool:
        """Let the suspect run that is to run alone, if all others end within `timeout_s` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_left_to(suspect), timeout_s):
                return False
            self._running.add(suspect.lease)
            self._be_patient()
            return True

    def release(self, delivery: Delivery) -> None:
        """Note that a message is settled, or given back. Harmless for one that never ran."""
        self._running.discard(delivery.lease)
        if self._exclusive is not None:
            with self._changed:
                if self._is_exclusive(delivery):
                    self._exclusive = None
                self._changed.notify_all()

    def _shut(self, suspect: Delivery) -> Admission:
        with self._changed:
            if not self._is_exclusive(suspect):  # the one that waits already may ask again
                if not self._is_open():
                    return "refused"
                self._exclusive = suspect
                self._be_patient()
            return "exclusive"

    def _is_exclusive(self, delivery: Delivery) -> bool:
        return self._exclusive is not None and self._exclusive.lease == delivery.lease

    def _is_open(self) -> bool:
        alone = self._exclusive
        if alone is None:
            return True
        # An exclusive message that waits is let in when its patience ends. If it still waits as long again
        # after that, its consumer is gone, and it would keep the others out for ever.
        more_s = 0.0 if alone.lease in self._running else self._patience_s
        if time.monotonic() < self._until_s + more_s:
            return False
        logger.warning("Message %s is alone for too long: others run beside it", alone.message_id)
        self._running.discard(alone.lease)  # so that no other suspect waits for it again
        self._exclusive = None
        self._changed.notify_all()
        return True

    def _is_left_to(self, suspect: Delivery) -> bool:
        others = len(self._running)
        if others and time.monotonic() >= self._until_s:
            logger.warning(
                "Message %s should run alone, but %d others run for too long", suspect.message_id, others
            )
            self._running.clear()
        return not self._running

    def _be_patient(self) -> None:
        self._until_s = time.monotonic() + self._patience_s
