"""The message that is being processed here, in this thread or this coroutine."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from .durable_message import DurableMessage

_in_hand: ContextVar[DurableMessage | None] = ContextVar("recado_message_in_hand", default=None)


def current_message() -> DurableMessage | None:
    """The message that is being processed here; None outside of a worker."""
    return _in_hand.get()


def take_in_hand(message: DurableMessage | None) -> None:
    """Note what is being processed here from now on; None: nothing."""
    _in_hand.set(message)


def message_in_hand(enqueued: Any) -> DurableMessage | None:
    """The message whose processing an enqueueing is part of, as long as it is not settled.

    Parameters:
      enqueued: the message that is enqueued. The one in hand itself is enqueued to come back.
    """
    in_hand = enqueued if isinstance(enqueued, DurableMessage) else _in_hand.get()
    return None if in_hand is None or in_hand.settled else in_hand
