"""What makes a dead letter worth another run."""

from __future__ import annotations

from typing import Any

from dramatiq import Message
from dramatiq.common import current_millis


def as_new(payload: bytes) -> bytes:
    """The same message with a fresh record: no retries used, not aged.

    Raises:
      DecodeError: it is no message.
    """
    message: Message[Any] = Message.decode(payload).copy(message_timestamp=current_millis())
    for option in ("retries", "traceback", "requeue_timestamp", "engine_away"):
        message.options.pop(option, None)
    message.options["replayed"] = True  # for actors that treat a person's wish unlike a repetition
    return message.encode()
