"""What becomes of messages that waited for too long."""

from __future__ import annotations

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import AgeLimit as DramatiqAgeLimit

from .exhausted import tell_exhausted


class AgeLimit(DramatiqAgeLimit):
    """Dramatiq's, and more: an expired message ends as an exhausted one does.

    Its actor's `on_retry_exhausted` is told, so that whoever waits for the outcome hears of it either way.
    """

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        if message.failed:
            tell_exhausted(broker, message)
