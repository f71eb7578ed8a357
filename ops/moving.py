"""From one engine to another, with nothing lost and nothing run twice."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from brokers.backend import QueueBackend
from brokers.records import State, StoredMessage

#: How many messages are moved together: some hundred kilobytes, and one fsync on either side.
PAGE = 100

#: How often to look whether something still runs, in seconds.
LOOK_EVERY_S = 0.1

#: What does not run, in the order it is moved in.
STATES: Sequence[State] = ("ready", "delayed", "dead")


class StillRunning(Exception):
    """Messages are being run on the engine that is to be left; the text says how many, and what to do."""


def stop(source: QueueBackend, *, patience_s: float) -> None:
    """Pause every queue of an engine that is to be left, and wait until nothing runs there.

    Parameters:
      source: the engine.
      patience_s: how long messages that run may take to finish, in seconds.

    Raises:
      StillRunning: messages were still running then.
    """
    for stats in source.stats():
        source.pause(stats.queue)
    deadline = time.monotonic() + patience_s
    while running := sum(stats.running for stats in source.stats()):
        if time.monotonic() > deadline:
            raise StillRunning(
                f"{running} message(s) are still being run after {patience_s:g} s. Stop the workers, or give "
                "them more time. The queues are paused; `recado queues resume` ends that."
            )
        time.sleep(LOOK_EVERY_S)


def move_messages(source: QueueBackend, target: QueueBackend, *, say: Callable[[str], None]) -> int:
    """Move every message of a stopped engine, each first stored there and then deleted here; return how many.

    It may be stopped at any point, and started again: what was stored and not yet deleted is known by its id.
    The queues it leaves stay paused, so that nobody runs there what is here already.

    Parameters:
      source: the engine to leave.
      target: the engine to go to.
      say: told about each queue.

    Raises:
      EngineError: one of the two was away. Start again.
    """
    moved = 0
    for stats in source.stats():
        count = sum(_move_page(source, target, page) for page in _pages(source, stats.queue))
        say(f"{stats.queue}: {count} message(s)")
        moved += count
    return moved


def _pages(source: QueueBackend, queue: str) -> Iterator[Sequence[StoredMessage]]:
    """What is left, a page at a time; the pages seen are expected to be gone."""
    for state in STATES:
        while page := source.list(queue, state, limit=PAGE):
            yield page


def _move_page(source: QueueBackend, target: QueueBackend, page: Sequence[StoredMessage]) -> int:
    target.adopt(page)
    source.remove(page)
    return len(page)
