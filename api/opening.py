"""Opening the queue when the API starts, however long that takes.

An API that cannot open its queue starts all the same. It answers webhooks with 503 at once, and Twilio can
try again; without an API a webhook would wait for an answer that does not come. Only what no later try can
mend keeps the API from starting.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable

import structlog
from dramatiq.errors import BrokerError

from brokers.errors import NotDurable, UnsupportedDatabase

logger = structlog.get_logger(__name__)

#: How long the first try may take before the API answers webhooks with 503, in seconds.
FIRST_TRY_S = 0.7

#: The first pause before another try, and the longest, in seconds.
RETRY_S, LONGEST_RETRY_S = 0.2, 2.0

NOT_YET = "The queue has not been opened yet"


class Opening:
    """Opens the queue, and tries again until it can.

    Parameters:
      open_queue: opens it; it may block, and is called again after it raised `BrokerError`.

    Attributes:
      trouble: why the queue cannot be used yet; None once it was opened.
      refusal: why it never can; the process stops then.
    """

    def __init__(self, open_queue: Callable[[], None]) -> None:
        self._open_queue = open_queue
        self._task: asyncio.Task[None] | None = None
        self.trouble: str | None = NOT_YET
        self.refusal: BrokerError | None = None

    async def begin(self) -> None:
        """Try for the first time, and go on in the background if that fails or takes long.

        Raises:
          NotDurable, UnsupportedDatabase: no later try would do.
        """
        self._task = asyncio.create_task(self._run())
        await asyncio.wait([self._task], timeout=FIRST_TRY_S)
        if self.refusal is not None:
            raise self.refusal

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
                    logger.warning(
                        "the queue cannot be opened: webhooks get 503 until it can", why=str(error)
                    )
                self.trouble = str(error)
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_RETRY_S, 2 * pause_s)
            else:
                if self.trouble != NOT_YET:
                    logger.warning("the queue is open: webhooks are taken in")
                self.trouble = None
                return

    def _refuse(self, error: BrokerError) -> None:
        is_late = self.trouble != NOT_YET
        self.trouble, self.refusal = str(error), error
        logger.error("the queue must not be used as it is: the API stops", why=str(error))
        if is_late:  # it serves already, and has to be told
            os.kill(os.getpid(), signal.SIGTERM)
