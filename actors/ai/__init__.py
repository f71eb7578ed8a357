"""The responders' address in version 0.1. They are public as `recado`."""

from __future__ import annotations

from ops.foundation.deprecation import moved

__getattr__ = moved(
    __name__,
    {
        "Completion": "actors.responders.two_arguments:Completion",
        "EchoResponder": "recado:EchoResponder",
        "Responder": "recado:Responder",
        "ResponderRefused": "recado:ResponderRefused",
        "ResponderUnavailable": "recado:ResponderUnavailable",
    },
)
