"""Where nobody listens."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

#: The kernel gives connections ports above these (`ip_local_port_range`). A server that was killed and comes
#: back on its port finds it free, as no connection of any program can have it meanwhile.
PORTS = range(10_000, 32_768)


def free_port() -> int:
    """A port of the loopback interface on which nobody listens now, and which no connection is given."""
    while True:
        port = random.SystemRandom().choice(PORTS)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
