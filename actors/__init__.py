"""What happens to a message: conversations, replies, channels, responders.

`dramatiq actors` runs it: importing this declares the actors on a broker that reads its settings when a
process boots, or when the broker is first used.
"""

from __future__ import annotations

import dramatiq

from .services import broker

dramatiq.set_broker(broker)  # before the actors are declared, which the imports below do

from .announcing import deliver_event  # noqa: E402
from .delivery_status import record_delivery_status  # noqa: E402
from .noting import notify  # noqa: E402
from .people import say_by_hand  # noqa: E402
from .reconciling import decide_reply, give_up_on_finding, reconcile_reply  # noqa: E402
from .replies import apologise, process_ai_response  # noqa: E402
from .sending import give_up_on_reply, send_reply  # noqa: E402

__all__ = [
    "apologise",
    "decide_reply",
    "deliver_event",
    "give_up_on_finding",
    "give_up_on_reply",
    "notify",
    "process_ai_response",
    "reconcile_reply",
    "record_delivery_status",
    "say_by_hand",
    "send_reply",
]
