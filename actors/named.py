"""Messages with ids of our own choosing: enqueued twice, such a message is there once."""

from __future__ import annotations

from typing import Any

from dramatiq import Message


def named(message: Message[Any], message_id: str) -> Message[Any]:
    """The same message under another id."""
    return Message(**{**message.asdict(), "message_id": message_id})
