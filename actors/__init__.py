"""What happens to a message.

`dramatiq actors` runs it: importing this builds the broker from the settings and declares the actors.
"""

from __future__ import annotations

import dramatiq

from ops.logging import configure_logging
from ops.metrics import keep_metrics_in
from ops.settings import load_settings
from ops.tracing import configure_tracing

configure_logging(load_settings())
configure_tracing(load_settings())
keep_metrics_in(load_settings().metrics_directory)  # before any metric is made, which the imports below do

from .services import services  # noqa: E402

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
