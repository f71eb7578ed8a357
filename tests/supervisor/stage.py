"""`recado up` in a directory of its own, and what can be seen and done from outside."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ops.supervisor.errors import Unreachable
from ops.supervisor.status.status_client import fetch_status
from tests.support.system import BIN, PATIENCE_S, Program, System
from tests.support.waiting import eventually


class Up(Program):
    """`recado up`.

    Attributes:
      directory: its run directory.
    """

    directory: Path

    def status(self) -> dict[str, Any]:
        """Return its status."""
        return fetch_status(self.directory, timeout_s=PATIENCE_S)

    def children(self, kind: str = "") -> dict[str, dict[str, Any]]:
        """Return the status of its children, by name."""
        return {child["name"]: child for child in self.status()["children"] if child["kind"].startswith(kind)}

    def pids(self, kind: str = "") -> dict[str, int]:
        """Return the process ids of its children, by name."""
        return {name: child["pid"] for name, child in self.children(kind).items()}

    def is_ready(self) -> bool:
        """Return whether it runs, with every child ready."""
        assert self.is_alive(), self.log
        try:
            status = self.status()
        except Unreachable:
            return False
        ready = all(child["state"] == "ready" for child in status["children"])
        return status["supervisor"]["state"] == "running" and ready

    def wait_until_ready(self, within_s: float = PATIENCE_S) -> None:
        eventually(self.is_ready, within_s=within_s, every_s=0.05)

    def said(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the log lines with that text and these fields."""
        return [
            line
            for line in self.events
            if line["event"] == event and all(line.get(name) == value for name, value in fields.items())
        ]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def processes(self) -> set[int]:
        """Return the living processes that it, or a process below it, has started."""
        mark = f"RECADO_SUPERVISOR={self.pid}".encode()
        pids = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
        return {pid for pid in pids if _has(pid, mark)}

    def kill(self) -> None:
        super().kill()
        eventually(lambda: not self.processes())


class Stage(System):
    """A system that `recado up` runs, with replies written to a file."""

    _up: Up

    def up(self, *arguments: str, **settings: str) -> Up:
        """Start it, and wait until every child is ready."""
        up = self.begin(*arguments, **settings)
        up.wait_until_ready()
        return up

    def begin(self, *arguments: str, inside: Sequence[str] = (), **settings: str) -> Up:
        """Start it.

        Parameters:
          inside: a program to start it with.
        """
        self._up = Up(
            [*inside, str(BIN / "recado"), "up", *arguments],
            log=self.directory / f"{next(self._logs)}-up.log",
            env=self._environment(settings),
            cwd=self.directory,
        )
        self._programs.append(self._up)
        self._up.directory = self.directory / "run"
        return self._up

    @property
    def url(self) -> str:
        return str(self._up.status()["supervisor"]["address"])

    def replies(self) -> list[dict[str, Any]]:
        """Return the replies that were sent, in order."""
        outbox = self.directory / "outbox.jsonl"
        return [json.loads(line) for line in outbox.read_text().splitlines()] if outbox.exists() else []

    def lines(self, file: str) -> list[str]:
        """Return the lines that actors wrote to a file."""
        path = self.directory / file
        return path.read_text().splitlines() if path.exists() else []


#: Replies are written to a file; nothing is slow that need not be.
SETTINGS: Mapping[str, str] = {
    "HEARTBEAT_INTERVAL_S": "0.25",
    "REPLY_SENDER": "console",
    "WORKERS": "2",
}


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _has(pid: int, mark: bytes) -> bool:
    """Return whether a process has this in its environment. A dead process has no environment."""
    try:
        return mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False
