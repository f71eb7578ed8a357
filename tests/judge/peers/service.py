"""The programs of a peer, each started again when it ends, as a service manager would."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from ..recado import RESTART_S, children

Role = Literal["api", "worker"]

#: Where `tests` is.
ROOT = Path(__file__).parents[3]


class Service:
    """Keeps programs running.

    Parameters:
      directory: where they run, and write `<role>.log`.
      programs: the command of each role. An `api` is one process; a `worker` begins processes that work.
      environment: of all of them.
    """

    def __init__(
        self, directory: Path, programs: Mapping[Role, Sequence[str]], environment: Mapping[str, str]
    ) -> None:
        self._directory = directory
        self._programs = programs
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self._environment = {**kept, "PYTHONPATH": str(ROOT), **environment}
        self._processes: dict[Role, asyncio.subprocess.Process] = {}
        self._keeping: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start all programs, and keep them running."""
        for role in self._programs:
            await self._spawn(role)
            self._keeping.append(asyncio.create_task(self._keep(role)))

    def pids(self, role: Role) -> list[int]:
        """The processes of a role that are there now."""
        process = self._processes[role]
        if process.returncode is not None:
            return []
        return [process.pid] if role == "api" else children(process.pid)

    async def stop(self) -> None:
        """SIGKILL for everything."""
        for task in self._keeping:
            task.cancel()
        await asyncio.gather(*self._keeping, return_exceptions=True)
        for process in self._processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()

    async def _spawn(self, role: Role) -> None:
        with (self._directory / f"{role}.log").open("ab") as log:
            self._processes[role] = await asyncio.create_subprocess_exec(
                *self._programs[role],
                cwd=self._directory,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _keep(self, role: Role) -> None:
        while True:
            await self._processes[role].wait()
            await asyncio.sleep(RESTART_S)
            await self._spawn(role)
