"""What was said: inbound messages, replies, and who may answer."""

from __future__ import annotations

from .sqlite import SQLiteConversationStore
from .store import (
    DELIVERY_RANK,
    ConversationStore,
    Entry,
    Hold,
    HoldLost,
    Line,
    Reply,
    ReplyState,
    Summary,
    Turn,
)

__all__ = [
    "DELIVERY_RANK",
    "ConversationStore",
    "Entry",
    "Hold",
    "HoldLost",
    "Line",
    "Reply",
    "ReplyState",
    "SQLiteConversationStore",
    "Summary",
    "Turn",
]
