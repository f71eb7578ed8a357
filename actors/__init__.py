"""What happens to a message.

`dramatiq actors` runs it: importing this builds the broker from the settings and declares the actors.
"""

from __future__ import annotations

import dramatiq

from ops.logging import configure_logging

from .services import services

configure_logging(services().settings)
dramatiq.set_broker(services().broker)

from .deliveries import give_up_on_reply, reconcile_reply, record_delivery_status, send_reply  # noqa: E402
from .replies import apologise, process_ai_response  # noqa: E402

__all__ = [
    "apologise",
    "give_up_on_reply",
    "process_ai_response",
    "reconcile_reply",
    "record_delivery_status",
    "send_reply",
]
