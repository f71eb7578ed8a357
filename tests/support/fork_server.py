"""Forks programs, so that not each of them has to import the same hundred packages first.

Most of what a test of a whole system costs is the start of its programs, and most of that are imports of
other projects' packages. This server has imported those, and nothing of ours. A fork of it goes on as the
program that was asked for, with the environment, the directory and the files it was given, and dies as any
other. What a new interpreter does when it starts is not seen in this way: tests of that start one.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import IO, NamedTuple

#: What is imported beforehand, where it is installed. Nothing that reads the environment when it is imported,
#: as prometheus_client does.
PACKAGES = (
    "apsw",
    "dotenv",
    "dramatiq.worker",
    "fastapi.openapi.models",
    "httpx",
    "jinja2",
    "pydantic.v1",
    "pydantic_settings",
    "redis",
    "rich.syntax",
    "rich.traceback",
    "structlog",
    "tomllib",
    "twilio.rest",
    "typer",
    "uvicorn.protocols.http.httptools_impl",
    "wsgiref.simple_server",
)

#: The packages that are tried with it. A program imports them anew.
OURS = ("actors", "api", "brokers", "ops", "recado")

#: Where file descriptors are kept until they get their numbers. Programs are given smaller ones.
ASIDE = 500


class Begin(NamedTuple):
    """Asks for a program.

    Attributes:
      command: a Python script, or "-m" and the name of a module; then its arguments.
      env: its whole environment.
      cwd: its working directory.
      files: the numbers for the file descriptors that come with this.
    """

    command: list[str]
    env: dict[str, str]
    cwd: str
    files: list[int]

    def write(self, file: IO[bytes]) -> None:
        file.write(json.dumps(self).encode())
        file.seek(0)


def main() -> None:
    """Fork until the other end of the socket is closed."""
    for package in PACKAGES:
        with suppress(ModuleNotFoundError):
            importlib.import_module(package)
    imported = [name for name in OURS if name in sys.modules]
    assert not imported, f"a program would not import these anew: {imported}"
    gc.freeze()  # so that looking for garbage copies no page of what is shared
    asked = socket.socket(fileno=int(sys.argv[1]))
    programs: dict[int, int] = {}  # where each one's end is to be told, a file descriptor
    signal.signal(signal.SIGCHLD, lambda *_: _tell_of_ends(programs))
    while True:
        said, files, *_ = socket.recv_fds(asked, 1, 64)
        if not said:
            return
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])  # it may end before it is noted
        if not (pid := os.fork()):
            break
        programs[pid] = files[1]
        for each in (files[0], *files[2:]):
            os.close(each)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    asked.detach()  # it is closed with all others
    _be_the_program(files)


def _tell_of_ends(programs: dict[int, int]) -> None:
    while programs:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        with (
            Connection(programs.pop(pid)) as program,
            suppress(BrokenPipeError),
        ):  # its test is done
            program.send(os.waitstatus_to_exitcode(status))


def _be_the_program(received: Sequence[int]) -> None:
    os.setsid()
    with os.fdopen(received[0], "rb") as written:
        begin = Begin(*json.load(written))
    with Connection(received[1]) as asked_by:
        asked_by.send(os.getpid())  # not before the session is there, which a test may want to kill
    _put_in_place(dict(zip(begin.files, received[2:], strict=True)))
    os.chdir(begin.cwd)
    os.environ.clear()
    os.environ.update(begin.env)
    paths = [each for each in begin.env.get("PYTHONPATH", "").split(os.pathsep) if each]
    if begin.command[0] == "-m":
        sys.path[:1] = [begin.cwd, *paths]
        sys.argv = begin.command[1:]
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        sys.path[:1] = [str(Path(begin.command[0]).parent), *paths]
        sys.argv = begin.command
        runpy.run_path(sys.argv[0], run_name="__main__")


def _put_in_place(files: dict[int, int]) -> None:
    """Give file descriptors their numbers, and close all others."""
    aside = {number: fcntl.fcntl(file, fcntl.F_DUPFD, ASIDE) for number, file in files.items()}
    os.closerange(0, ASIDE)
    for number, file in aside.items():
        os.dup2(file, number)
        os.close(file)


if __name__ == "__main__":
    main()
