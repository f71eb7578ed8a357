"""Where messages come from and replies go to."""

from __future__ import annotations

from .channel import (
    Channel,
    DeliveryStatus,
    InboundMessage,
    InvalidMessage,
    NotSentEver,
    NotSentYet,
    OptedOut,
    Paced,
    Payload,
    PerhapsSent,
    SendError,
)
from .console import ConsoleChannel
from .observed import ObservedTwilio

__all__ = [
    "Channel",
    "ConsoleChannel",
    "DeliveryStatus",
    "InboundMessage",
    "InvalidMessage",
    "NotSentEver",
    "NotSentYet",
    "ObservedTwilio",
    "OptedOut",
    "Paced",
    "Payload",
    "PerhapsSent",
    "SendError",
]
