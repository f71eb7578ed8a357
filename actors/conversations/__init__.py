"""What was said: inbound messages, replies, and which message may answer."""

from __future__ import annotations

from ops.foundation.deprecation import moved

from .keeper import ConversationKeeper, Deleted, KeptConversation, KeptMessage, KeptReply
from .reader import ConversationReader, Summary, ThreadEntry
from .sqlite import SQLiteConversationStore
from .store import ConversationStore
from .turn import Answered, Hold, HoldLost, Rest, Turn, Utterance

__all__ = [
    "Answered",
    "ConversationKeeper",
    "ConversationReader",
    "ConversationStore",
    "Deleted",
    "Hold",
    "HoldLost",
    "KeptConversation",
    "KeptMessage",
    "KeptReply",
    "Rest",
    "SQLiteConversationStore",
    "Summary",
    "ThreadEntry",
    "Turn",
    "Utterance",
]

__getattr__ = moved(__name__, {"Line": "actors.responders.two_arguments:Line"})
