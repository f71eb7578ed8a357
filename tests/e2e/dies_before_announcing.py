"""For `dramatiq`: a worker that dies between storing a fact and enqueueing the event that announces it.

What it would take a very precise kill -9 to do. DIES_BEFORE names the event.
"""

from __future__ import annotations

import os
import signal
from typing import Any
from unittest.mock import patch

import actors  # noqa: F401  declares the actors
from actors import announcing

_announce = announcing._announce


def _die(event_type: Any, *args: Any, **kwargs: Any) -> None:
    if event_type == os.environ["DIES_BEFORE"]:
        os.kill(os.getpid(), signal.SIGKILL)
    _announce(event_type, *args, **kwargs)


patch.object(announcing, "_announce", _die).start()
