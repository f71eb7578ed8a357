"""The service manager, which is told the supervisor's state (sd_notify(3))."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress


class SystemdNotifier:
    """Sends states to the service manager. Without a service manager it does nothing.

    Parameters:
      environment: has the address of the manager's socket, and the period of its watchdog.

    Attributes:
      watchdog_s: how often the manager expects `alive` at least, in seconds; None when it does not.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        period_us = environment.get("WATCHDOG_USEC", "") if self._address else ""
        is_for_this_process = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self.watchdog_s = int(period_us) / 1e6 if period_us.isdigit() and is_for_this_process else None
        self._status = ""

    def ready(self) -> None:
        self._send("READY=1")

    def reloading(self) -> None:
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        self._send("STOPPING=1")

    def alive(self) -> None:
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """Send a line for `systemctl status`, when it has changed."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def _send(self, state: str) -> None:
        if not self._address:
            return
        # An address that begins with @ is in Linux's abstract namespace, where the first byte is a zero.
        address = "\0" + self._address[1:] if self._address.startswith("@") else self._address
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.setblocking(False)
            with suppress(OSError):  # the manager is gone or busy: it receives the next state
                manager.sendto(state.encode(), address)
