"""The public API of Recado. What is not named here is inside, and may change with any version.

Names are imported when they are first used, so that `import recado` costs nothing and needs no extra.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from actors.answer import Answer, ToolCall, Usage
    from actors.channels import (
        Channel,
        DeliveryStatus,
        InboundMessage,
        InvalidMessage,
        NotSentEver,
        NotSentYet,
        PerhapsSent,
    )
    from actors.conversation import (
        Button,
        Contact,
        Conversation,
        FetchedMedia,
        Location,
        Media,
        MediaError,
        Message,
    )
    from actors.reply import Content, Reply, Template
    from actors.responders import EchoResponder, Responder, ResponderRefused, ResponderUnavailable
    from actors.responders.openai import OpenAIResponder
    from api.app import create_app
    from brokers import (
        BullMQBroker,
        RedisBroker,
        SQLiteBroker,
        SQLiteRateLimiterBackend,
        SQLiteResultBackend,
        SQSBroker,
    )
    from brokers.elastic_threads import ElasticThreads, waiting
    from ops.foundation.settings import Settings, SettingsError, load_settings

#: Where each name comes from.
_MODULES: Mapping[str, tuple[str, ...]] = {
    "actors.answer": ("Answer", "ToolCall", "Usage"),
    "actors.channels": (
        "Channel",
        "DeliveryStatus",
        "InboundMessage",
        "InvalidMessage",
        "NotSentEver",
        "NotSentYet",
        "PerhapsSent",
    ),
    "actors.conversation": (
        "Button",
        "Contact",
        "Conversation",
        "FetchedMedia",
        "Location",
        "Media",
        "MediaError",
        "Message",
    ),
    "actors.reply": ("Content", "Reply", "Template"),
    "actors.responders": ("EchoResponder", "Responder", "ResponderRefused", "ResponderUnavailable"),
    "actors.responders.openai": ("OpenAIResponder",),
    "api.app": ("create_app",),
    "brokers": (
        "BullMQBroker",
        "RedisBroker",
        "SQLiteBroker",
        "SQLiteRateLimiterBackend",
        "SQLiteResultBackend",
        "SQSBroker",
    ),
    "brokers.elastic_threads": ("ElasticThreads", "waiting"),
    "ops.foundation.settings": ("Settings", "SettingsError", "load_settings"),
}

_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Answer",
    "BullMQBroker",
    "Button",
    "Channel",
    "Contact",
    "Content",
    "Conversation",
    "DeliveryStatus",
    "EchoResponder",
    "ElasticThreads",
    "FetchedMedia",
    "InboundMessage",
    "InvalidMessage",
    "Location",
    "Media",
    "MediaError",
    "Message",
    "NotSentEver",
    "NotSentYet",
    "OpenAIResponder",
    "PerhapsSent",
    "RedisBroker",
    "Reply",
    "Responder",
    "ResponderRefused",
    "ResponderUnavailable",
    "SQLiteBroker",
    "SQLiteRateLimiterBackend",
    "SQLiteResultBackend",
    "SQSBroker",
    "Settings",
    "SettingsError",
    "Template",
    "ToolCall",
    "Usage",
    "create_app",
    "load_settings",
    "waiting",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'recado' has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
