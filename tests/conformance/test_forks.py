"""Dramatiq forks: a child of a process that uses a broker gets a life of its own."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from operator import methodcaller
from pathlib import Path

import pytest

from brokers.backend import QueueBackend
from tests.support.messages import a_message, claimable, claimed, found, stats_of, stored
from tests.support.waiting import eventually

from .conftest import OpenBackend, Spawn

#: These tests kill a parent, and then nobody but the test is left to end the child.
Adopt = Callable[[int], int]


@pytest.fixture
def adopt() -> Iterator[Adopt]:
    """Takes over the killing of a process, given its id."""
    with ExitStack() as stack:

        def adopt(pid: int) -> int:
            stack.callback(os.kill, pid, signal.SIGKILL)
            return pid

        yield adopt


def in_a_fork(function: Callable[[QueueBackend], None], backend: QueueBackend) -> int:
    """Fork, run `function(backend)` in the child, and return its exit code: 0 when it did not raise."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            function(backend)
            code = 0
        except BaseException:  # noqa: BLE001
            traceback.print_exc()  # nobody above this could tell
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def leave_a_fork_behind(backend: QueueBackend) -> int:
    """Fork a child that does nothing and stays; return its id."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
    return pid


def store_and_run_one(backend: QueueBackend) -> None:
    message_id = stored(backend, queue="of the child")
    delivery = claimed(backend, "of the child")
    assert delivery.message_id == message_id
    backend.started(delivery)
    backend.ack(delivery)
    backend.sync()
    assert backend.get(message_id) is None


def test_a_child_works_with_the_broker_it_inherited(spawn: Spawn) -> None:
    parent = spawn()
    stored(parent.backend)
    held = claimed(parent.backend)

    assert parent.run(partial(in_a_fork, store_and_run_one)) == 0
    assert parent.run(partial(in_a_fork, store_and_run_one)) == 0
    parent.backend.ack(held)
    parent.backend.sync()
    assert parent.backend.get(held.message_id) is None
    message_id = stored(parent.backend)
    assert claimed(parent.backend).message_id == message_id


def claim_and_die(backend: QueueBackend) -> None:
    backend.started(claimed(backend))
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_child_that_dies_takes_nothing_of_its_parent_along(spawn: Spawn) -> None:
    parent = spawn()
    kept = stored(parent.backend)
    claimed(parent.backend)
    lost = stored(parent.backend)

    assert parent.run(partial(in_a_fork, claim_and_die)) == -signal.SIGKILL
    assert claimed(parent.backend).message_id == lost, "the child had it, and the child is dead"
    assert found(parent.backend, kept).state == "running", "the parent has it, and the parent lives"


def test_a_child_does_not_keep_its_dead_parent_alive(
    spawn: Spawn, backend: QueueBackend, adopt: Adopt
) -> None:
    parent = spawn()
    message_id = stored(backend)
    claimed(parent.backend)
    adopt(parent.run(leave_a_fork_behind))
    parent.kill()

    assert claimed(backend).message_id == message_id


def test_a_child_that_exits_leaves_the_parents_delivery_alone(
    spawn: Spawn, open_backend: OpenBackend
) -> None:
    parent = spawn()
    message_id = stored(parent.backend)
    held = claimed(parent.backend)
    assert parent.run(partial(in_a_fork, claim_nothing)) == 0

    other = open_backend()
    assert claimable(other) == []
    parent.backend.ack(held)
    eventually(lambda: other.get(message_id) is None)
    assert stats_of(other).done == 1


def claim_nothing(backend: QueueBackend) -> None:
    assert backend.dequeue("nothing here", limit=1, timeout_s=0) == []
    assert backend.enqueue(a_message(queue="some other"))
    backend.close()


def fork_and_die(note: Path) -> int:
    """A clock. The engine asks it in the midst of its work, and then only a forked child is left."""
    pid = os.fork()
    if pid == 0:
        signal.pause()
    note.write_text(f"{pid}\n")
    os.kill(os.getpid(), signal.SIGKILL)
    return 0


def test_a_child_does_not_keep_what_its_parent_died_in_the_midst_of(
    spawn: Spawn, backend: QueueBackend, adopt: Adopt, tmp_path: Path
) -> None:
    note = tmp_path / "child.pid"
    stored(backend, queue="open")
    parent = spawn(clock=partial(fork_and_die, note))
    parent.begin(methodcaller("enqueue", a_message()))
    adopt(int(eventually(lambda: note.exists() and note.read_text().strip())))
    eventually(lambda: not parent.is_alive())

    message_id = stored(backend)
    assert claimed(backend).message_id == message_id
