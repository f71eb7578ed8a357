"""Opening the queue when the API starts, however long that takes.

An API that cannot open its queue starts all the same. It answers webhooks with 503 at once, and Twilio can
try again; without an API a webhook would wait for an answer that does not come. Two things keep the API from
starting: what no later try can mend, and another API that serves meanwhile. Both APIs accept from the same
socket, so the new one would refuse half of the webhooks that the other one could store.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

import structlog
from dramatiq.errors import BrokerError

from brokers.errors import NotDurable, UnsupportedDatabase

logger = structlog.get_logger(__name__)

#: How long the first try may take before the API answers webhooks with 503, in seconds.
FIRST_TRY_S = 0.7

#: The first pause before another try, and the longest, in seconds.
RETRY_S, LONGEST_RETRY_S = 0.2, 2.0

#: How often `begin` looks whether the process was told to stop, in seconds. A signal handler cannot wake it.
STOP_POLL_S = 0.1

NOT_YET = "The queue has not been opened yet"


class Opening:
    """Opens the queue, and tries again until it can.

    Parameters:
      open_queue: opens it; it may block, and is called again after it raised `BrokerError`.
      first_try_s: how long `begin` waits for it, in seconds; None: until it is open (another API serves).

    Attributes:
      trouble: why the queue cannot be used yet; None once it was opened.
      refusal: why it never can; the process stops then.
    """

    def __init__(self, open_queue: Callable[[], None], *, first_try_s: float | None = FIRST_TRY_S) -> None:
        self._open_queue = open_queue
        self._first_try_s = first_try_s
        self._task: asyncio.Task[None] | None = None
        self._serves = False
        self._is_stopping = False
        self.trouble: str | None = NOT_YET
        self.refusal: Exception | None = None

    async def begin(self) -> None:
        """Try for the first time, and go on in the background if that takes too long.

        Raises:
          Exception: no later try would do, as with `NotDurable` and `UnsupportedDatabase`.
        """
        self._task = asyncio.create_task(self._run())
        until = None if self._first_try_s is None else time.monotonic() + self._first_try_s
        while not self._task.done() and not self._is_stopping:
            left_s = STOP_POLL_S if until is None else min(STOP_POLL_S, until - time.monotonic())
            if left_s <= 0:
                break
            await asyncio.wait([self._task], timeout=left_s)
        if self.refusal is not None:
            raise self.refusal
        self._serves = True

    def stop_waiting(self) -> None:
        """Let `begin` return: the process was told to stop. A signal handler may call this."""
        self._is_stopping = True

    async def end(self) -> None:
        """Try no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        pause_s = RETRY_S
        while True:
            try:
                await asyncio.to_thread(self._open_queue)
            except (NotDurable, UnsupportedDatabase) as error:
                self._refuse(error)
                return
            except BrokerError as error:
                if self.trouble == NOT_YET:
                    logger.warning(f"the queue cannot be opened: {self._meanwhile}", why=str(error))
                self.trouble = str(error)
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_RETRY_S, 2 * pause_s)
            except Exception as error:  # a fault of the program: a new process is more likely to do without
                logger.exception("unexpected error while the queue was opened")
                self._refuse(error)
                return
            else:
                if self.trouble != NOT_YET:
                    logger.warning("the queue is open: webhooks are taken in")
                self.trouble = None
                return

    @property
    def _meanwhile(self) -> str:
        if self._first_try_s is None:
            return "the API that it was to replace goes on"
        return "webhooks get 503 until it can"

    def _refuse(self, error: Exception) -> None:
        self.trouble, self.refusal = str(error) or repr(error), error
        logger.error("the queue must not be used as it is: the API stops", why=self.trouble)
        if self._serves:  # `begin` has returned, so that only a signal ends the server
            os.kill(os.getpid(), signal.SIGTERM)
