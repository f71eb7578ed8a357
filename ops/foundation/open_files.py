"""Lets a process have as many open files as its calls in flight need.

Each call is a connection. Many systems begin with 1,024 open files for a process, macOS with 256, and let it
raise that by itself.
"""

from __future__ import annotations

import resource
from contextlib import suppress

#: As many as are asked for: calls to the model and to Twilio, webhooks, and the files of the queue.
MOST = 8_192


def raise_limit() -> None:
    """Raise the soft limit of open files as far as is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST if hard == resource.RLIM_INFINITY else min(MOST, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with suppress(ValueError, OSError):  # a system that allows less than it says; what there is has to do
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
