"""Opening files that only their owner may read."""

from __future__ import annotations

import os


def private(path: str, flags: int) -> int:
    """Open a file for `open(..., opener=private)`; a new one is its owner's alone."""
    return os.open(path, flags | os.O_CLOEXEC, 0o600)
