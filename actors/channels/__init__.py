"""Where messages come from and replies go to."""

from __future__ import annotations

from .channel import (
    Channel,
    DeliveryStatus,
    Gone,
    InboundMessage,
    InvalidMessage,
    NotSentEver,
    NotSentYet,
    OptedOut,
    OtherReply,
    Others,
    Paced,
    Payload,
    PerhapsSent,
    SendError,
    ShowsTyping,
    TellsStatus,
    TypingNotShown,
)
from .console import ConsoleChannel
from .observed import ObservedTwilio

__all__ = [
    "Channel",
    "ConsoleChannel",
    "DeliveryStatus",
    "Gone",
    "InboundMessage",
    "InvalidMessage",
    "NotSentEver",
    "NotSentYet",
    "ObservedTwilio",
    "OptedOut",
    "OtherReply",
    "Others",
    "Paced",
    "Payload",
    "PerhapsSent",
    "SendError",
    "ShowsTyping",
    "TellsStatus",
    "TypingNotShown",
]
