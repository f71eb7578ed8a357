"""Telling an actor's `on_retry_exhausted` of a message that ends in another way than by its last retry."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, MessageProxy
from dramatiq.middleware import Retries


def tell_exhausted(broker: Broker, message: MessageProxy) -> None:
    """Send the message and its record to the actor that is named for this, if one is, as Retries would.

    Parameters:
      broker: where the actors are declared.
      message: the message. It failed for good.
    """
    options: dict[str, Any] = broker.get_actor(message.actor_name).options
    target = message.options.get("on_retry_exhausted") or options.get("on_retry_exhausted")
    if target:
        retries = [each for each in broker.middleware if isinstance(each, Retries)]
        default = retries[0].max_retries if retries else None
        max_retries = message.options.get("max_retries", options.get("max_retries", default))
        record = {"retries": message.options.get("retries", 0), "max_retries": max_retries}
        broker.get_actor(target).send(message.asdict(), record)
