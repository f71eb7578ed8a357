"""The socket the API listens on. It is the supervisor's, so that it stays when the API goes."""

from __future__ import annotations

import socket

from .errors import CannotListen

#: How many connections may wait while no API accepts them. The kernel's own limit may be lower.
BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Listen; connections wait until an API accepts them.

    Raises:
      CannotListen: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(host, port, error) from error


def url_of(listener: socket.socket) -> str:
    """Where to reach it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
