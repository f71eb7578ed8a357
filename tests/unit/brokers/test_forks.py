"""What comes of a fork that cannot wait any longer."""

from __future__ import annotations

import os
import threading
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from brokers import forks
from brokers.errors import EngineError
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.storage.connection import connect
from tests.support.messages import a_message
from tests.support.processes import Process

pytestmark = pytest.mark.starts_processes


def said_by_a_child(backend: SQLiteBackend) -> str:
    """Fork a child that enqueues; return what it was told."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = str(backend.enqueue(a_message()))
        except EngineError as error:
            said = str(error)
        os.write(writing, said.encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return os.read(reading, 1000).decode()


def fork_from_a_stuck_process(channel: Connection, path: Path) -> None:
    """Fork while another thread is inside SQLite for longer than a fork waits."""
    forks.PATIENCE_S = 0.1
    inside, may_leave = threading.Event(), threading.Event()

    def stay() -> None:
        with closing(connect(path)) as connection, connection.in_use:
            inside.set()
            may_leave.wait()

    backend = SQLiteBackend(path)
    backend.enqueue(a_message())
    thread = threading.Thread(target=stay)
    thread.start()
    inside.wait()
    try:
        told = said_by_a_child(backend)
        assert backend.enqueue(a_message()), "the parent goes on"
    finally:
        may_leave.set()
        thread.join()
    channel.send(told)


def test_a_child_refuses_what_its_parent_was_stuck_in(tmp_path: Path) -> None:
    with Process(fork_from_a_stuck_process, tmp_path / "queue.db") as process:
        assert process.receive().startswith("This process cannot use SQLite: at the fork, a thread of its")
