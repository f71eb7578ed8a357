"""What makes a dead letter worth another run."""

from __future__ import annotations

from typing import Any

from dramatiq import Message


def reset_for_replay(payload: bytes, *, at_ms: int) -> bytes:
    """The same message with a fresh record: no retries used, not aged.

    Parameters:
      payload: the encoded message.
      at_ms: the time by the engine's clock: its age counts from here, and not from when it was enqueued.

    Raises:
      DecodeError: it is no message.
    """
    message: Message[Any] = Message.decode(payload).copy(message_timestamp=at_ms)
    for option in ("retries", "traceback", "requeue_timestamp", "engine_away"):
        message.options.pop(option, None)
    message.options["replayed"] = True  # for actors that treat a person's wish unlike a repetition
    return message.encode()
