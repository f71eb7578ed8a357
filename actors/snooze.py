"""Having the current message run again in a moment."""

from __future__ import annotations

import structlog
from dramatiq.errors import Retry

from brokers.message_in_hand import current_message

from .services import services

logger = structlog.get_logger(__name__)

#: How long a message waits that has to see what becomes of another one, in milliseconds.
SNOOZE_MS = 2_000


def snooze(why: str) -> None:
    """Have the current message run again in a moment. It did not fail, so no retry is used up.

    Parameters:
      why: what it has to wait for, for the log.
    """
    message = current_message()
    if message is None:
        raise Retry(why, delay=SNOOZE_MS)
    logger.info(why)
    services().broker.enqueue(message, delay=SNOOZE_MS)  # type: ignore[arg-type]  # a proxy of one
