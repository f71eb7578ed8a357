"""Reading the status from within another process, where nobody may wait long for it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .directory import ask
from .errors import Unreachable

#: How long the supervisor may take to answer, in seconds.
PATIENCE_S = 1.0


def status_reader(directory: Path) -> Callable[[], dict[str, Any] | None]:
    """Returns what reads the status of a run directory's supervisor: None when nobody answers."""

    def read() -> dict[str, Any] | None:
        try:
            status: dict[str, Any] = json.loads(ask(directory, timeout_s=PATIENCE_S))
        except (Unreachable, json.JSONDecodeError):  # it ended, or is about to
            return None
        return status

    return read
