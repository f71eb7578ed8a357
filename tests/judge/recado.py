"""The program under judgement: `recado up`, started again when it ends, as a service manager would."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import httpx

from .server import NO_TLS, free_port

#: Where the programs of this environment are.
COMMAND = str(Path(sys.executable).parent / "recado")

#: The address Twilio knows. It leads nowhere: requests are signed for it, and sent to the local port.
PUBLIC_URL = "https://recado.example.com"

#: How long a start, a stop or a command may take, in seconds. Deadlines, not measures.
PATIENCE_S = 60.0

#: How long a service manager waits before it starts `recado up` again, in seconds.
RESTART_S = 0.3

Role = Literal["api", "worker", "supervisor"]


class CommandFailed(Exception):
    """A command of Recado's ended with an error."""


class Recado:
    """`recado up` in a directory of its own.

    Parameters:
      directory: for its files.
      settings: environment variables.

    Attributes:
      url: where its API is.
      restarts: how often it had to be started again.
    """

    def __init__(self, directory: Path, settings: Mapping[str, str]) -> None:
        self._directory = directory
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "PYTHONPATH"}}
        self._environment = {
            **kept,
            "API_PORT": str(port),
            "LOG_FORMAT": "json",
            "METRICS_PORT": "0",
            "PUBLIC_BASE_URL": PUBLIC_URL,
            **settings,
        }
        self.restarts = 0
        self._process: asyncio.subprocess.Process | None = None
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Start it, and keep it running; return when it is ready."""
        await self._spawn()
        self._keeping = asyncio.create_task(self._keep())
        await self.ready()

    async def ready(self) -> None:
        """Return when `/readyz` says so."""
        async with asyncio.timeout(PATIENCE_S):
            while (await self.readiness()).get("status") != "ok":
                await asyncio.sleep(0.1)

    async def readiness(self) -> dict[str, Any]:
        """What `/readyz` answers; empty when it does not."""
        try:
            async with httpx.AsyncClient(timeout=10, verify=NO_TLS) as client:
                return dict((await client.get(f"{self.url}/readyz")).json())
        except (httpx.HTTPError, ValueError):
            return {}

    async def metric(self, name: str) -> float:
        """The sum of a metric's samples."""
        async with httpx.AsyncClient(timeout=10, verify=NO_TLS) as client:
            page = (await client.get(f"{self.url}/metrics")).text
        return sum(map(float, re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", page, re.MULTILINE)))

    async def run(self, *arguments: str) -> str:
        """Run a command of Recado's; return what it printed.

        Raises:
          CommandFailed: it ended with an error.
        """
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            *arguments,
            cwd=self._directory,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            output, errors = await asyncio.wait_for(process.communicate(), PATIENCE_S)
        except TimeoutError as error:
            process.kill()
            await process.wait()
            raise CommandFailed(f"{arguments}: no end within {PATIENCE_S:g} s") from error
        if process.returncode:
            raise CommandFailed(f"{arguments}: {errors.decode()[-2000:]}")
        return output.decode()

    async def json(self, *arguments: str) -> Any:
        """Run a command with --json; return what it printed."""
        return json.loads(await self.run(*arguments, "--json"))

    def pids(self, role: Role) -> list[int]:
        """The processes of a role that are there now."""
        if self._process is None or self._process.returncode is not None:
            return []
        if role == "supervisor":
            return [self._process.pid]
        ending = ["ops.supervisor.entry", role]
        return [pid for pid in children(self._process.pid) if _words(pid)[-2:] == ending]

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL for what is left after a while, if it was started."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.wait([self._keeping])
        if self._process is None:
            return
        left = children(self._process.pid)
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(self._process.wait(), PATIENCE_S)
        except TimeoutError:
            os.kill(self._process.pid, signal.SIGKILL)
            await self._process.wait()
        for pid in left:  # these are gone, unless something is very wrong
            with suppress(ProcessLookupError):
                if "ops.supervisor.entry" in _words(pid):
                    os.kill(pid, signal.SIGKILL)

    async def _spawn(self) -> None:
        with (self._directory / "recado.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                COMMAND,
                "up",
                cwd=self._directory,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _keep(self) -> None:
        while True:
            assert self._process is not None
            await self._process.wait()
            await asyncio.sleep(RESTART_S)
            self.restarts += 1
            await self._spawn()


def children(pid: int) -> list[int]:
    """The processes that this one started, as far as they are its own."""
    try:
        lists = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [int(child) for some in lists for child in some]


def _words(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    except OSError:
        return []
