"""Where answers come from.

`openai.py` is imported only where it is used: its package takes a second to load.
"""

from __future__ import annotations

from .echo import EchoResponder
from .responder import Completion, Responder, ResponderRefused, ResponderUnavailable

__all__ = [
    "Completion",
    "EchoResponder",
    "Responder",
    "ResponderRefused",
    "ResponderUnavailable",
]
