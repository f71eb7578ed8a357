"""What a consuming process needs; one that only enqueues never does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from .caretaker import Caretaker
from .doorbell import Doorbell
from .presence import Presence


class Desk:
    """A consuming process's place: its presence, its bell, its caretaker, and who waits there.

    Attributes:
      idle_queues: those in which nothing was found the last time, or a last message.
      emptied_queues: of these, those whose last message was taken just now.
    """

    def __init__(self, presence: Presence, doorbell: Doorbell, caretaker: Caretaker) -> None:
        self.presence = presence
        self.doorbell = doorbell
        self.caretaker = caretaker
        self.idle_queues: set[str] = set()
        self.emptied_queues: set[str] = set()

    @contextmanager
    def waiting(self, queue: str) -> Iterator[None]:
        """While inside, other processes ring us after each commit."""
        self.presence.waiting(1)
        self.idle_queues.add(queue)
        try:
            yield
        finally:
            self.presence.waiting(-1)
