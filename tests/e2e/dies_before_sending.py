"""For `dramatiq`: a worker that dies between writing a reply and enqueueing its sending.

What it would take a very precise kill -9 to do.
"""

from __future__ import annotations

import os
import signal
from unittest.mock import patch

import actors  # noqa: F401  declares the actors
from actors import answering


def _die(_reply_id: str | None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


patch.object(answering, "enqueue_sending", _die).start()
