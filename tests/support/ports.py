"""Where nobody listens."""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress

#: The kernel gives connections ports above these (`ip_local_port_range`). A server that was killed and comes
#: back on its port finds it free, as no connection of any program can have it meanwhile.
PORTS = range(10_000, 32_768)

#: Tests that run side by side each take every sixteenth of them, so that no two find the same one free.
SHARES = 16
SHARE = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % SHARES


def free_port() -> int:
    """A port of the loopback interface on which nobody listens now, and which no connection is given."""
    while True:
        port = random.SystemRandom().choice(PORTS[SHARE::SHARES])
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
