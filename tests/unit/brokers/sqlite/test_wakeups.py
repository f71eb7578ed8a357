"""Wake-ups name the queues in which a process should look; the consumers of all others sleep on."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from brokers.sqlite.liveness.process_registry import ProcessEntry
from brokers.sqlite.liveness.wakeups import ANY, WakeupReceiver, WakeupSender
from tests.support.messages import PATIENCE_S


@pytest.fixture
def entry(tmp_path: Path) -> Iterator[ProcessEntry]:
    with closing(ProcessEntry(tmp_path)) as entry:
        entry.add_waiting(1)
        yield entry


@pytest.fixture
def receiver(entry: ProcessEntry) -> Iterator[WakeupReceiver]:
    with closing(WakeupReceiver(entry)) as receiver:
        yield receiver


@pytest.fixture
def sender(tmp_path: Path, receiver: WakeupReceiver) -> Iterator[WakeupSender]:
    with closing(WakeupSender(tmp_path)) as sender:
        yield sender


def counts(receiver: WakeupReceiver, *queues: str) -> list[int]:
    return [receiver.count(queue) for queue in queues]


def write(entry: ProcessEntry, lines: bytes) -> int:
    """Write into a process's FIFO as another process does."""
    fifo = os.open(entry.path.with_suffix(".fifo"), os.O_WRONLY | os.O_NONBLOCK)
    try:
        return os.write(fifo, lines)
    finally:
        os.close(fifo)


def test_another_process_names_the_queues(sender: WakeupSender, receiver: WakeupReceiver) -> None:
    sender.notify_waiting({"messages", "replies"}, own=None)
    receiver.listen(PATIENCE_S)

    assert counts(receiver, "messages", "replies", "default") == [1, 1, 0]


def test_commits_before_the_look_are_read_together(sender: WakeupSender, receiver: WakeupReceiver) -> None:
    sender.notify_waiting({"messages"}, own=None)
    sender.notify_waiting({"replies"}, own=None)
    receiver.listen(PATIENCE_S)

    assert counts(receiver, "messages", "replies", "default") == [1, 1, 0]


@pytest.mark.parametrize(
    "queues",
    [{ANY}, {"messages", ANY}, {"two\nlines"}, {"a!"}, {f"queue-{number:03d}" for number in range(100)}],
    ids=["any", "any-among-others", "line-end", "mark", "too-many"],
)
def test_what_cannot_be_named_wakes_all(
    queues: set[str], sender: WakeupSender, receiver: WakeupReceiver
) -> None:
    sender.notify_waiting(queues, own=None)
    receiver.listen(PATIENCE_S)

    assert receiver.count("whatever") == 1


@pytest.mark.parametrize("lines", [b"!", b"!!!", b"messages\n!replies\n"])
def test_a_process_of_an_older_version_wakes_all(
    lines: bytes, entry: ProcessEntry, receiver: WakeupReceiver
) -> None:
    write(entry, lines)
    receiver.listen(PATIENCE_S)

    assert receiver.count("whatever") == 1


def test_a_full_fifo_wakes_all(entry: ProcessEntry, sender: WakeupSender, receiver: WakeupReceiver) -> None:
    with suppress(BlockingIOError):
        while write(entry, b"messages\n"):
            pass
    sender.notify_waiting({"replies"}, own=None)  # there is no room for it
    receiver.listen(PATIENCE_S)

    assert receiver.count("replies") >= 1


def test_only_consumers_of_the_queue_are_woken(receiver: WakeupReceiver) -> None:
    woken: list[str] = []

    def consume(queue: str) -> None:
        receiver.wait(queue, 0, PATIENCE_S)
        woken.append(queue)

    threads = {queue: threading.Thread(target=consume, args=(queue,)) for queue in ("messages", "default")}
    for thread in threads.values():
        thread.start()
    receiver.notify({"messages"})
    threads["messages"].join(PATIENCE_S)
    assert woken == ["messages"]

    receiver.notify({ANY})
    threads["default"].join(PATIENCE_S)
    assert woken == ["messages", "default"]
