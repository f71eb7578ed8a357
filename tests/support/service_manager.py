"""In systemd's place: hears what a service says of itself."""

from __future__ import annotations

import socket
from pathlib import Path

#: How long it may say nothing, in seconds. Generous: a deadline for what would otherwise hang, not a measure.
SILENT_FOR_S = 60.0


class ServiceManager:
    """A notification socket.

    Parameters:
      path: where it is made; for NOTIFY_SOCKET.

    Attributes:
      told: everything that was said until now, in order.
    """

    def __init__(self, path: Path) -> None:
        self.told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(SILENT_FOR_S)

    def wait_for(self, beginning: str) -> None:
        """Wait until something is said that begins like this; what was said last may be it."""
        while not (self.told and self.told[-1].startswith(beginning)):
            self.told.append(self._socket.recv(4096).decode())

    def __enter__(self) -> ServiceManager:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
