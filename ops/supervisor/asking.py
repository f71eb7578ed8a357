"""Asks a supervisor how it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .directory import ask
from .errors import Unreachable

#: How long a page that is waited for may wait for the answer, in seconds. It takes a millisecond.
PATIENCE_S = 1.0


def status_of(directory: Path, *, timeout_s: float) -> dict[str, Any]:
    """What the supervisor of a run directory says: see `status.document`.

    Parameters:
      timeout_s: how long it may take, in seconds.

    Raises:
      Unreachable: nobody answers.
    """
    try:
        answer: dict[str, Any] = json.loads(ask(directory, timeout_s=timeout_s))
    except json.JSONDecodeError as error:  # it ended while it answered
        raise Unreachable(directory) from error
    return answer


def status_if_any(directory: Path) -> dict[str, Any] | None:
    """The same, for those who run without a supervisor as well."""
    try:
        return status_of(directory, timeout_s=PATIENCE_S)
    except Unreachable:
        return None
