"""Every setting of Recado, read from the environment (and `.env`) once, at the edge.

A setting is a field of one of the sections: where messages wait (`engines`), `twilio`, `replies`, the
`model`, the `people` of the shop, `events` to other systems, `processes`.
"""

from __future__ import annotations

from .engines import CONVERSATIONS_BESIDE
from .events import EVENT_TYPES, EventType
from .loading import SettingsError, check_for_the_api, load_settings
from .model import ModelPrice
from .processes import MAX_WORKER_THREADS, MIN_WORKER_THREADS
from .settings import DOTENV, Settings

__all__ = [
    "CONVERSATIONS_BESIDE",
    "DOTENV",
    "EVENT_TYPES",
    "MAX_WORKER_THREADS",
    "MIN_WORKER_THREADS",
    "EventType",
    "ModelPrice",
    "Settings",
    "SettingsError",
    "check_for_the_api",
    "load_settings",
]
