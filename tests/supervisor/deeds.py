"""Actors for `recado up --module`: one that is well, and what others do to the worker they run in."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from pathlib import Path

import dramatiq
from dramatiq.middleware import raise_thread_exception

import actors  # noqa: F401  Recado's broker is the one these are declared on

QUEUE = "deeds"


def note(file: str, line: object) -> None:
    """A whole line, whatever becomes of the process."""
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
    """For ever, in a system call: other threads go on, and no exception reaches this one."""
    while True:
        ctypes.CDLL(None).sleep(600)


@dramatiq.actor(queue_name=QUEUE, max_retries=0, time_limit=500)
def block_everything() -> None:
    """The same with the interpreter's lock held: nothing in this process runs any more."""
    ctypes.PyDLL(None).sleep(600)


@dramatiq.actor(queue_name=QUEUE, max_retries=0)
def lose_the_thread() -> None:
    """An exception arrives in this thread when the actor is long done."""
    threading.Timer(0.2, raise_thread_exception, (threading.get_ident(), SystemExit)).start()
