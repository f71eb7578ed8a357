"""Where answers come from.

`openai.py` is imported only where it is used: its package takes a second to load.
"""

from __future__ import annotations

from .asking import Asked, Asking
from .echo import EchoResponder
from .limited import CallLimit, LimitedResponder
from .observed import ObservedResponder
from .responder import Responder, ResponderRefused, ResponderUnavailable, Response

__all__ = [
    "Asked",
    "Asking",
    "CallLimit",
    "EchoResponder",
    "LimitedResponder",
    "ObservedResponder",
    "Responder",
    "ResponderRefused",
    "ResponderUnavailable",
    "Response",
]
