"""The notifications to systemd."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

import pytest

from ops.supervisor.process.systemd import SystemdNotifier


@pytest.mark.parametrize("kind", ["file", "abstract"])
def test_states_arrive(kind: str, tmp_path: Path) -> None:
    name = f"@recado-{secrets.token_hex(8)}" if kind == "abstract" else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name.replace("@", "\0"))
        manager.settimeout(5)
        notifier = SystemdNotifier({"NOTIFY_SOCKET": name})

        notifier.ready()
        notifier.status("running: 3 ready")
        notifier.status("running: 3 ready")
        notifier.alive()
        notifier.stopping()
        notifier.reloading()

        told = [manager.recv(1024).decode() for _ in range(5)]
        assert told[:4] == ["READY=1", "STATUS=running: 3 ready", "WATCHDOG=1", "STOPPING=1"]
        assert told[4].startswith("RELOADING=1\nMONOTONIC_USEC=")


def test_a_manager_that_is_gone_or_was_never_there_is_no_error(tmp_path: Path) -> None:
    SystemdNotifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()
    SystemdNotifier({}).ready()


def test_the_watchdog_is_for_whom_it_is_meant() -> None:
    there = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "30000000"}
    assert SystemdNotifier(there).watchdog_s == 30.0
    assert SystemdNotifier({**there, "WATCHDOG_PID": str(os.getpid())}).watchdog_s == 30.0
    assert SystemdNotifier({**there, "WATCHDOG_PID": "1"}).watchdog_s is None
    assert SystemdNotifier({"WATCHDOG_USEC": "30000000"}).watchdog_s is None
    assert SystemdNotifier({}).watchdog_s is None
