"""Where answers come from.

`openai.py` is imported only where it is used: its package takes a second to load.
"""

from __future__ import annotations

from .asking import Asked, Asking
from .echo import EchoResponder
from .observed import ObservedResponder
from .responder import Responder, ResponderRefused, ResponderUnavailable, Response

__all__ = [
    "Asked",
    "Asking",
    "EchoResponder",
    "ObservedResponder",
    "Responder",
    "ResponderRefused",
    "ResponderUnavailable",
    "Response",
]
