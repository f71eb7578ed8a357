"""Actors for `recado up --module`: some that behave, and others that ruin the worker they run in."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from pathlib import Path

import dramatiq
from dramatiq.middleware import raise_thread_exception

import actors  # noqa: F401  Recado's broker is the one these are declared on

QUEUE = "misbehaving"


def note(file: str, line: object) -> None:
    """Append a line to a file, at once: also when the process dies right after."""
    fd = os.open(Path(file), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.write(fd, f"{line}\n".encode())
    os.close(fd)


@dramatiq.actor(queue_name=QUEUE, max_retries=0)
def do_well(what: str) -> None:
    note("well", what)


@dramatiq.actor(queue_name=QUEUE, max_retries=0)
def take_time(what: str, seconds: float) -> None:
    note("began", what)
    time.sleep(seconds)
    note("ended", what)


@dramatiq.actor(queue_name=QUEUE, max_retries=0)
def take_until(what: str, file: str) -> None:
    """Run until a file is there."""
    note("began", what)
    while not Path(file).exists():
        time.sleep(0.05)
    note("ended", what)


@dramatiq.actor(queue_name=QUEUE, max_retries=0)
def segfault() -> None:
    ctypes.string_at(0)


@dramatiq.actor(queue_name=QUEUE, max_retries=0)
def leave() -> None:
    os._exit(7)


@dramatiq.actor(queue_name=QUEUE, max_retries=0)
def eat_memory() -> None:
    eaten = [bytearray(10_000_000) for _ in range(30)]
    time.sleep(600)
    note("ended", len(eaten))


@dramatiq.actor(queue_name=QUEUE, max_retries=0, time_limit=500)
def block_in_c() -> None:
    """Block in a system call for ever. Other threads go on, and no exception reaches this one."""
    while True:
        ctypes.CDLL(None).sleep(600)


@dramatiq.actor(queue_name=QUEUE, max_retries=0, time_limit=500)
def block_everything() -> None:
    """Block for ever with the interpreter's lock held: no other thread of this process runs any more."""
    ctypes.PyDLL(None).sleep(600)


@dramatiq.actor(queue_name=QUEUE, max_retries=0)
def lose_the_thread() -> None:
    """Raise an exception in this thread after the actor has returned."""
    threading.Timer(0.2, raise_thread_exception, (threading.get_ident(), SystemExit)).start()
