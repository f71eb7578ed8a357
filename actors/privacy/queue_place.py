"""Exports and erases the queue messages about a person: those that wait, and dead letters."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, get_args

from brokers.backend import QueueBackend
from brokers.records import State, StoredMessage
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.storage import rewrite

from .person import Person
from .place import Erased
from .times import with_times

#: How many messages are deleted together.
STEP = 200

#: How often the queues are gone through. While workers take messages from a queue, those behind move up, and
#: one can move past the page that is looked up next.
MOST_ROUNDS = 5

CANNOT_LOOK = (
    "Messages of this queue cannot be looked up: one that is about the person stays until it is done, or "
    "until the queue's own time is over."
)


def as_it_is(payload: bytes) -> bytes:
    """Return the payload of a message that waits in its own queue."""
    return payload


def of_spooled(payload: bytes) -> bytes:
    """Return the payload of a message that waits in the spool, behind a line of what else belongs to it."""
    return payload.partition(b"\n")[2]


class QueuePlace:
    """The messages of an engine.

    Parameters:
      backend: the engine.
      name: for people.
      payload_of: finds a message's own payload in what is stored.
    """

    def __init__(
        self,
        backend: QueueBackend,
        *,
        name: str = "queue",
        payload_of: Callable[[bytes], bytes] = as_it_is,
    ) -> None:
        self._backend = backend
        self.name = name
        self._payload_of = payload_of

    def export(self, person: Person) -> Sequence[Mapping[str, Any]]:
        if not self._backend.capabilities.looks_up:
            return []
        # By id: a message that moves to another state meanwhile comes twice.
        found = {message.message_id: message for message in self._about(person)}
        return [self._exported(message) for message in found.values()]

    def erase(self, person: Person) -> Erased:
        if not self._backend.capabilities.looks_up:
            return Erased({}, left=(CANNOT_LOOK,))
        erased: dict[str, State] = {}
        running: set[str] = set()
        for _ in range(MOST_ROUNDS):
            found = list(self._about(person))
            running = {message.message_id for message in found if message.state == "running"}
            waiting = [message for message in found if message.state != "running"]
            for at in range(0, len(waiting), STEP):
                self._backend.remove(waiting[at : at + STEP])
            erased |= {message.message_id: message.state for message in waiting}
            if not waiting:
                break
        states = [state for message_id, state in erased.items() if message_id not in running]
        counts = {"messages": len(states) - states.count("dead"), "dead letters": states.count("dead")}
        left = rewrite(self._backend.database) if isinstance(self._backend, SQLiteBackend) else ()
        return Erased(counts, len(running), left)

    def _about(self, person: Person) -> Iterator[StoredMessage]:
        for stats in self._backend.stats():
            for state in get_args(State):
                for page in self._pages(stats.queue, state):
                    yield from (each for each in page if person.is_meant_by(self._payload_of(each.payload)))

    def _pages(self, queue: str, state: State) -> Iterator[Sequence[StoredMessage]]:
        limit = self._backend.capabilities.lookup_page
        for number in count():
            page = self._backend.list(queue, state, limit=limit, offset=number * limit)
            yield page
            if len(page) < limit:
                return

    def _exported(self, message: StoredMessage) -> dict[str, Any]:
        return {**with_times(message._asdict()), "payload": _readable(self._payload_of(message.payload))}


def _readable(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except (ValueError, RecursionError):  # any program may have enqueued it
        return payload.decode(errors="replace")
