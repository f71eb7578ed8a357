"""What becomes of messages that waited for too long."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import AgeLimit as DramatiqAgeLimit
from dramatiq.middleware import SkipMessage

from ..durable_message import DurableMessage
from .exhausted import tell_exhausted


class AgeLimit(DramatiqAgeLimit):
    """Dramatiq's, and more: what expires ends as what is exhausted does, and no pause outlives the limit.

    An expired message's `on_retry_exhausted` actor is told, as that of an exhausted one is. A message that is
    to be tried again is due at the latest when it expires: see `DurableMessage.retry_later`.
    """

    def before_process_message(self, broker: Broker, message: DurableMessage) -> None:  # type: ignore[override]
        options: dict[str, Any] = broker.get_actor(message.actor_name).options
        limit_ms = message.options.get("max_age") or options.get("max_age", self.max_age)
        if not limit_ms:
            return
        message.age_limit_ms = limit_ms
        if message.age_ms >= limit_ms:
            self.logger.warning("Message %s is over its age limit of %d ms", message.message_id, limit_ms)
            message.fail()
            raise SkipMessage("Message age limit exceeded")

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        if message.failed:
            tell_exhausted(broker, message)
