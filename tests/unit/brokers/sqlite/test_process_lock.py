"""The process lock: one at a time, and the dead do not hold it."""

from __future__ import annotations

import threading
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from brokers.sqlite.storage.process_lock import ProcessLock
from tests.support.messages import PATIENCE_S
from tests.support.processes import Process


def hold(channel: Connection, directory: Path) -> None:
    """A process that has the lock until it is told to release it."""
    with ProcessLock(directory):
        channel.send("inside")
        channel.recv()
    channel.send("left")
    channel.recv()


def enter(directory: Path, inside: threading.Event) -> threading.Thread:
    """A thread that wants in."""

    def wait_and_enter() -> None:
        with closing(ProcessLock(directory)) as lock, lock:
            inside.set()

    thread = threading.Thread(target=wait_and_enter, daemon=True)
    thread.start()
    return thread


@pytest.mark.starts_processes
def test_one_enters_when_the_other_leaves(tmp_path: Path) -> None:
    inside = threading.Event()
    with Process(hold, tmp_path) as holder:
        assert holder.receive() == "inside"
        waiting = enter(tmp_path, inside)
        assert not inside.wait(0.1)

        holder.send("leave")
        assert holder.receive() == "left"
        assert inside.wait(PATIENCE_S)
        waiting.join()


@pytest.mark.starts_processes
def test_who_dies_inside_holds_nothing(tmp_path: Path) -> None:
    inside = threading.Event()
    with Process(hold, tmp_path) as holder:
        assert holder.receive() == "inside"
        waiting = enter(tmp_path, inside)
        holder.kill()

        assert inside.wait(PATIENCE_S)
        waiting.join()


def test_an_error_inside_opens_it_again(tmp_path: Path) -> None:
    with closing(ProcessLock(tmp_path)) as lock:
        try:
            with lock:
                raise ValueError("inside")
        except ValueError:
            pass
        inside = threading.Event()
        enter(tmp_path, inside).join(PATIENCE_S)
        assert inside.is_set()


def test_many_take_turns(tmp_path: Path) -> None:
    """Only one is ever inside: without that the count would come out too low."""
    note = tmp_path / "count"
    note.write_text("0")

    def count_up() -> None:
        with closing(ProcessLock(tmp_path)) as lock:
            for _ in range(50):
                with lock:
                    note.write_text(str(int(note.read_text()) + 1))

    threads = [threading.Thread(target=count_up) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert note.read_text() == "300"
