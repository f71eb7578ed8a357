"""The client of the status socket."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

from ..errors import Unreachable
from .status_socket import address_in

#: How long a page of the dashboard waits for the status, in seconds. The answer takes a millisecond.
PAGE_TIMEOUT_S = 1.0


def fetch_status(directory: Path, *, timeout_s: float) -> dict[str, Any]:
    """Return the status of a supervisor, as `status_document` makes it.

    Parameters:
      directory: the supervisor's run directory.
      timeout_s: how long the answer may take, in seconds.

    Raises:
      Unreachable: no supervisor answers.
    """
    answer = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client, address_in(directory) as address:
            client.settimeout(timeout_s)
            client.connect(address)
            while chunk := client.recv(65536):
                answer += chunk
        status: dict[str, Any] = json.loads(answer)
    except (OSError, json.JSONDecodeError) as error:  # no JSON: the supervisor ended while it answered
        raise Unreachable(directory) from error
    return status


def fetch_status_if_any(directory: Path) -> dict[str, Any] | None:
    """Return the status of a supervisor, or None for an API that runs without one."""
    try:
        return fetch_status(directory, timeout_s=PAGE_TIMEOUT_S)
    except Unreachable:
        return None
