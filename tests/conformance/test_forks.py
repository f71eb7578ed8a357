"""Dramatiq forks: a child of a process that uses a broker gets a life of its own."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from functools import partial
from itertools import product
from operator import methodcaller
from pathlib import Path

import pytest

from brokers.backend import QueueBackend
from tests.support.messages import a_message, claimable, claimed, found, stats_of, stored
from tests.support.waiting import eventually

from .conftest import OpenBackend, Spawn

pytestmark = pytest.mark.needs("looks_up", "wakes")

#: These tests kill a parent, and then nobody but the test is left to end the child.
Adopt = Callable[[int], int]


@pytest.fixture
def adopt() -> Iterator[Adopt]:
    """Takes over the killing of a process, given its id."""
    with ExitStack() as stack:

        def adopt(pid: int) -> int:
            stack.callback(kill, pid)
            return pid

        yield adopt


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


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


#: How a process may end.
ENDS: dict[str, Callable[[QueueBackend], None]] = {}


def an_end(function: Callable[[QueueBackend], None]) -> Callable[[QueueBackend], None]:
    ENDS[function.__name__] = function
    return function


@an_end
def by_exit(backend: QueueBackend) -> None:
    sys.exit(0)


@an_end
def by_close_and_exit(backend: QueueBackend) -> None:
    backend.close()
    sys.exit(0)


@an_end
def by_exit_at_once(backend: QueueBackend) -> None:
    os._exit(0)


@an_end
def by_kill(backend: QueueBackend) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def fork_a_sender(end: str, directory: Path, backend: QueueBackend) -> int:
    """Fork a child that sends half of its messages, waits to be told, and sends the rest; return its id."""
    pid = os.fork()
    if pid == 0:
        try:
            send(20, backend)
            (directory / "half").touch()
            (directory / "go on").read_text()  # a FIFO: until the test writes to it
            send(20, backend)
            (directory / "all").touch()
            ENDS[end](backend)
        except Exception:  # noqa: BLE001
            (directory / "all").write_text(traceback.format_exc())
            os._exit(1)
    return pid


def send(count: int, backend: QueueBackend) -> None:
    for _ in range(count):
        stored(backend)


@pytest.mark.parametrize("ends", list(product(ENDS, ENDS)), ids="-then-".join)
def test_what_a_child_sends_is_kept_however_parent_and_child_end(
    spawn: Spawn,
    open_backend: OpenBackend,
    adopt: Adopt,
    tmp_path: Path,
    ends: tuple[str, str],
) -> None:
    parents_end, childs_end = ends
    os.mkfifo(tmp_path / "go on")
    parent = spawn()
    stored(parent.backend)
    child = adopt(parent.run(partial(fork_a_sender, childs_end, tmp_path)))
    eventually((tmp_path / "half").exists)

    parent.begin(ENDS[parents_end])
    eventually(lambda: not parent.is_alive())
    passer_by = open_backend()
    assert stats_of(passer_by).ready == 21
    passer_by.close()

    (tmp_path / "go on").write_text("now")
    eventually((tmp_path / "all").exists)
    assert (tmp_path / "all").read_text() == ""
    eventually(partial(is_gone, child))
    assert stats_of(open_backend()).ready == 41


def is_gone(pid: int) -> bool:
    """Whether a process ended that is nobody's child any more."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


#: How many children, one after the other.
FORKS = 250


def fork_while_others_write(forks: int, backend: QueueBackend) -> tuple[int, list[int]]:
    """Fork children that send a message each, while threads go on storing and counting.

    Returns how many messages were stored, and the exit codes of the children that failed.
    """
    stopping, written = threading.Event(), [0, 0]

    def write(number: int) -> None:
        while not stopping.is_set():
            stored(backend)
            written[number] += 1

    def count() -> None:
        while not stopping.is_set():
            backend.stats()

    threads = [threading.Thread(target=write, args=(number,)) for number in (0, 1)]
    threads.append(threading.Thread(target=count))
    for thread in threads:
        thread.start()
    try:
        codes = [in_a_fork(partial(send, 1), backend) for _ in range(forks)]
    finally:
        stopping.set()
        for thread in threads:
            thread.join()
    return sum(written) + codes.count(0), [code for code in codes if code]


def test_threads_that_write_during_a_fork_harm_neither_process(
    spawn: Spawn, open_backend: OpenBackend
) -> None:
    parent = spawn()
    count, failed = parent.run(partial(fork_while_others_write, FORKS))

    assert failed == []
    assert stats_of(open_backend()).ready == count
