"""Decides when a process does its share of the maintenance."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator

from ...errors import EngineError
from ..liveness.wakeups import WakeupReceiver
from ..storage.background import BackgroundTask
from ..storage.database import Database
from .clock_watch import ClockWatch
from .id_cleanup import delete_spent_ids
from .recovery import Recovery
from .vacuum import give_space_back

logger = logging.getLogger(__name__)

#: How often to look for dead processes, in seconds: their messages run again within a second.
ROUND_S = 0.3

#: One round in so many is thorough: it also looks for leases whose process left no file, and starts cleanup.
THOROUGH_EVERY = 10

#: How much space has to be spare before it is given back, in bytes.
SPARE_BYTES = 1_000_000


class Maintenance:
    """A thread that receives wake-ups and looks for dead processes; it starts cleanup in another thread.

    Parameters:
      database: the queue's database.
      receiver: this process's wake-up receiver.
      recovery: takes over the messages of dead processes.
      clock_watch: has delayed messages follow a clock that is set back.
    """

    def __init__(
        self, database: Database, receiver: WakeupReceiver, recovery: Recovery, clock_watch: ClockWatch
    ) -> None:
        self._database = database
        self._receiver = receiver
        self._recovery = recovery
        self._clock_watch = clock_watch
        self._stopping = False
        self._cleanup = BackgroundTask("recado-cleanup")
        self._thread = threading.Thread(target=self._run, name="recado-maintenance", daemon=True)

    def start(self) -> None:
        """Take over the messages of dead processes, then start the thread.

        Raises:
          EngineError, OSError: the messages could not be taken over.
        """
        self._recovery.recover(thorough=True)
        self._clock_watch.look()
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Another process does the rest of the cleanup."""
        self._stopping = True
        self._receiver.interrupt()
        self._thread.join()
        self._cleanup.close()

    def recover(self, *, thorough: bool = False) -> None:
        """Take over the messages of dead processes now. See `Recovery.recover`."""
        self._recovery.recover(thorough=thorough)

    def _run(self) -> None:
        round_at, rounds = time.monotonic() + ROUND_S, 0
        while not self._stopping:
            self._receiver.listen(max(0.0, round_at - time.monotonic()))
            if time.monotonic() < round_at:
                continue
            round_at, rounds = time.monotonic() + ROUND_S, rounds + 1
            thorough = rounds % THOROUGH_EVERY == 0
            try:
                self._recovery.recover(thorough=thorough)
                self._clock_watch.look()
                if thorough:
                    self._cleanup.start(self.clean_up)
            except (EngineError, OSError, RuntimeError) as error:  # RuntimeError: no more threads
                logger.warning("A round of maintenance failed, the next is in %g s: %s", ROUND_S, error)

    def clean_up(self) -> None:
        """Delete spent ids, if this process is the one that does, and give space back. Never raises."""
        began = time.monotonic()
        try:
            for _ in self._cleanup_steps():
                # Pause for as long as the step took: other threads need the same process lock, and go first.
                if self._cleanup.pause(time.monotonic() - began):
                    return
                began = time.monotonic()
        except (EngineError, OSError) as error:
            logger.warning("Cleanup failed, and is tried again in some seconds: %s", error)

    def _cleanup_steps(self) -> Iterator[None]:
        if self._recovery.is_first():
            yield from delete_spent_ids(self._database)
        yield from give_space_back(self._database, SPARE_BYTES)
