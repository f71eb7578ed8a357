"""Telling actors of a message that fails for good in another way than by its last retry."""

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


def tell_failure(broker: Broker, message: MessageProxy, error: BaseException) -> None:
    """Send the message and what it failed with to the actor named as its `on_failure`, as Callbacks would.

    Parameters:
      broker: where the actors are declared.
      message: the message.
      error: what it failed with.
    """
    options: dict[str, Any] = broker.get_actor(message.actor_name).options
    target = message.options.get("on_failure") or options.get("on_failure")
    if target:
        record = {"type": type(error).__name__, "message": str(error)}
        broker.get_actor(target).send(message.asdict(), record)
