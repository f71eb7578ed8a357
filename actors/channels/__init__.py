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
    "Payload",
    "PerhapsSent",
    "SendError",
]
