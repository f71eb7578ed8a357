"""The socket in the run directory that sends the supervisor's status to every client that connects."""

from __future__ import annotations

import json
import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ..errors import RunDirectoryUnusable

_SOCKET = "supervisor.sock"

#: How many clients may wait for the answer.
_BACKLOG = 16

#: The room for a unix socket's address, in bytes: 103 on macOS, 107 on Linux.
_MAX_ADDRESS_BYTES = 103


class StatusSocket:
    """Answers each client with the status as JSON. Only the owner of the run directory can connect.

    Parameters:
      directory: the run directory. The caller holds its lock, so a socket that is there already is stale.
      status: returns the status.

    Raises:
      RunDirectoryUnusable: the socket cannot be made there.
    """

    def __init__(self, directory: Path, status: Callable[[], dict[str, Any]]) -> None:
        self._path = directory / _SOCKET
        self._status = status
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        umask = os.umask(0o177)
        try:
            self._path.unlink(missing_ok=True)
            with address_in(directory) as address:
                self._listener.bind(address)
            self._listener.listen(_BACKLOG)
            self._listener.setblocking(False)
        except OSError as error:
            self._listener.close()
            raise RunDirectoryUnusable(directory, error) from error
        finally:
            os.umask(umask)

    def fileno(self) -> int:
        return self._listener.fileno()

    def answer(self) -> None:
        """Answer a client that has connected. The answer fits into the socket's buffer: this never waits."""
        with suppress(OSError):  # the client has left
            client, _ = self._listener.accept()
            with client:
                client.setblocking(False)
                client.sendall(json.dumps(self._status()).encode())

    def close(self) -> None:
        """Stop answering, and remove the socket."""
        self._listener.close()
        with suppress(OSError):  # the run directory was removed
            self._path.unlink(missing_ok=True)


@contextmanager
def address_in(directory: Path) -> Iterator[str]:
    """Yield the address of the socket in a run directory.

    A path that is too long for an address is reached through a symbolic link, which lives as long as the
    context.
    """
    address = str(directory / _SOCKET)
    if len(os.fsencode(address)) <= _MAX_ADDRESS_BYTES:
        yield address
        return
    with tempfile.TemporaryDirectory(prefix="recado-") as temporary:
        link = Path(temporary) / "run"
        link.symlink_to(directory.absolute())
        yield str(link / _SOCKET)
