"""What becomes of messages that waited for too long."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import AgeLimit as DramatiqAgeLimit


class AgeLimit(DramatiqAgeLimit):
    """Dramatiq's, and more: an expired message ends as an exhausted one does.

    Its actor's `on_retry_exhausted` is told, so that whoever waits for the outcome hears of it either way.
    """

    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        if not message.failed:
            return
        options: dict[str, Any] = broker.get_actor(message.actor_name).options
        target = message.options.get("on_retry_exhausted") or options.get("on_retry_exhausted")
        if target:
            broker.get_actor(target).send(message.asdict(), {"retries": message.options.get("retries", 0)})
