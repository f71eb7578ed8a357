"""For `dramatiq`: a worker that dies between writing a reply and enqueueing its sending.

What it would take a very precise kill -9 to do.
"""

from __future__ import annotations

import os
import signal
from unittest.mock import patch

import actors  # noqa: F401  declares the actors
from actors import replies


def _die(_conversation: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


patch.object(replies, "send_next_reply", _die).start()
