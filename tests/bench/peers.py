"""Queues on SQLite that are not Dramatiq's, each worked through as its manual says.

Every function makes a backlog of `count` messages in `directory`, works it off, and returns messages/s.
"""

from __future__ import annotations

import itertools
import threading
import time
from pathlib import Path

from .contenders import BODY, THREADS

#: What makes a message of about the size of the others, where the queue adds nothing of its own.
TEXT = BODY + " " * 200


def huey_rate(directory: Path, *, count: int) -> float:
    """Huey's consumer with as many threads; it deletes a task when it takes it."""
    from huey import SqliteHuey

    queue = SqliteHuey(filename=str(directory / "huey.db"), fsync=True)
    calls, finished = itertools.count(1), threading.Event()

    def nothing(_text: str) -> None:
        if next(calls) == count:
            finished.set()

    enqueue = queue.task()(nothing)
    for _ in range(count):
        enqueue(BODY)
    consumer = queue.create_consumer(workers=THREADS, worker_type="thread", periodic=False)
    began = time.perf_counter()
    consumer.start()
    finished.wait()
    return count / (time.perf_counter() - began)


def litequeue_rate(directory: Path, *, count: int) -> float:
    """LiteQueue: pop and done, one thread."""
    from litequeue import LiteQueue

    queue = LiteQueue(directory / "litequeue.db")
    for _ in range(count):
        queue.put(TEXT)
    began = time.perf_counter()
    while (message := queue.pop()) is not None:
        queue.done(message.message_id)
    return count / (time.perf_counter() - began)


def persist_queue_rate(directory: Path, *, count: int) -> float:
    """persist-queue's SQLiteAckQueue: get and ack, one thread."""
    from persistqueue import SQLiteAckQueue

    queue = SQLiteAckQueue(str(directory / "persist-queue"))
    for _ in range(count):
        queue.put(TEXT)
    began = time.perf_counter()
    for _ in range(count):
        queue.ack(queue.get())
    return count / (time.perf_counter() - began)
