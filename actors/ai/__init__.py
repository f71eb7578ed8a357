"""Where answers come from."""

from __future__ import annotations

from .echo import EchoResponder
from .openai import DEFAULT_SYSTEM_PROMPT, OpenAIResponder
from .responder import Completion, Responder, ResponderRefused, ResponderUnavailable

__all__ = [
    "DEFAULT_SYSTEM_PROMPT",
    "Completion",
    "EchoResponder",
    "OpenAIResponder",
    "Responder",
    "ResponderRefused",
    "ResponderUnavailable",
]
