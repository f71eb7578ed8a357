"""The operators' side of the engine: counting, looking, replaying, discarding, pausing."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from ..backend import DeadLetterFilter, QueueStats, State, StoredMessage
from . import scripts
from .commands import Command
from .database import Database
from .scripts import Argument, new_call

#: Answers with so many messages, or deletions of so many, hold up the server for a millisecond at most.
PAGE = 200

#: How many fields a message has in an answer (see lua/show.lua), and a queue in lua/stats.lua.
MESSAGE_FIELDS, QUEUE_FIELDS = 13, 8


class OperatorSide:
    """What `RedisBackend` does for people rather than for workers."""

    _database: Database
    _now: Callable[[], Argument]

    def stats(self) -> Sequence[QueueStats]:
        counted = self._database.ask(Command(scripts.STATS, read=_queues))
        return sorted(counted, key=lambda stats: stats.queue)

    def list(self, queue: str, state: State, *, limit: int = 50, offset: int = 0) -> Sequence[StoredMessage]:
        return self._database.ask(Command(scripts.LIST, (queue, state, offset, limit), read=_messages))

    def get(self, message_id: str) -> StoredMessage | None:
        return self._get(message_id, dead=False)

    def _get(self, message_id: str, *, dead: bool) -> StoredMessage | None:
        found = self._database.ask(Command(scripts.GET, (message_id, int(dead)), read=_messages))
        return found[0] if found else None

    def dead_letters(
        self, which: DeadLetterFilter, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredMessage]:
        return list(islice(self._matching(which), offset, offset + limit))

    def replay(self, message_id: str, *, payload: bytes | None = None) -> bool:
        arguments = (self._now(), new_call(), message_id, payload or b"", int(payload is not None))
        return self._database.store(Command(scripts.REPLAY, arguments, read=bool))

    def discard(self, which: DeadLetterFilter) -> int:
        matching = [message.message_id for message in self._matching(which)]
        pages = [matching[at : at + PAGE] for at in range(0, len(matching), PAGE)]
        return sum(
            self._database.store(Command(scripts.DISCARD, (new_call(), *page), read=int)) for page in pages
        )

    def adopt(self, messages: Sequence[StoredMessage]) -> int:
        arguments: list[Argument] = [new_call()]
        for m in messages:
            arguments += (m.message_id, m.state, m.queue, m.actor, m.payload, m.priority, m.deliveries)
            arguments += (m.crashes, m.enqueued_at, m.due_at, m.last_error or "", m.reason or "")
            arguments.append(m.died_at or "")
        return self._database.store(Command(scripts.ADOPT, arguments, read=int))

    def remove(self, messages: Sequence[StoredMessage]) -> None:
        arguments = [part for message in messages for part in (message.message_id, message.state)]
        self._database.store(Command(scripts.REMOVE, arguments, read=_nothing))

    def flush(self, queue: str) -> None:
        while not self._database.store(Command(scripts.FLUSH, (queue,), read=bool)):
            pass

    def pause(self, queue: str) -> None:
        self._database.store(Command(scripts.PAUSE, (queue, 1), read=_nothing))

    def resume(self, queue: str) -> None:
        self._database.store(Command(scripts.PAUSE, (queue, 0), read=_nothing))

    def _matching(self, which: DeadLetterFilter) -> Iterator[StoredMessage]:
        """Dead letters, newest first."""
        if which.message_ids is not None:
            found = [self._get(message_id, dead=True) for message_id in dict.fromkeys(which.message_ids)]
            letters = iter(sorted(filter(None, found), key=_newest_first))
        else:
            queues = [stats.queue for stats in self.stats()] if which.queue is None else [which.queue]
            letters = heapq.merge(*map(self._every_dead_letter, queues), key=_newest_first)
        for letter in letters:
            if _matches(letter, which):
                yield letter

    def _every_dead_letter(self, queue: str) -> Iterator[StoredMessage]:
        offset = 0
        while page := self.list(queue, "dead", limit=PAGE, offset=offset):
            yield from page
            offset += len(page)


def _matches(letter: StoredMessage, which: DeadLetterFilter) -> bool:
    wanted = ((which.queue, letter.queue), (which.actor, letter.actor), (which.reason, letter.reason))
    return all(asked is None or asked == has for asked, has in wanted)


def _newest_first(letter: StoredMessage) -> int:
    return -(letter.died_at or 0)


def _nothing(_: Any) -> None:
    return None


def _queues(answer: list[Any]) -> Sequence[QueueStats]:
    queues = []
    for at in range(0, len(answer), QUEUE_FIELDS):
        name, ready, delayed, running, dead, done, oldest, paused = answer[at : at + QUEUE_FIELDS]
        queues.append(
            QueueStats(
                queue=name.decode(),
                ready=ready,
                delayed=delayed,
                running=running,
                dead=dead,
                done=int(done),
                oldest_due_at=int(oldest) if oldest else None,
                paused=bool(paused),
            )
        )
    return queues


def _messages(answer: list[Any]) -> Sequence[StoredMessage]:
    return [_message(answer[at : at + MESSAGE_FIELDS]) for at in range(0, len(answer), MESSAGE_FIELDS)]


def _message(fields: Sequence[Any]) -> StoredMessage:
    message_id, state, queue, actor, payload, priority, deliveries, crashes = fields[:8]
    enqueued_at, due_at, error, reason, died_at = fields[8:]
    return StoredMessage(
        message_id=message_id.decode(),
        queue=queue.decode(),
        actor=actor.decode(),
        state=state.decode(),
        payload=payload,
        priority=int(priority),
        deliveries=int(deliveries),
        crashes=int(crashes),
        enqueued_at=int(enqueued_at),
        due_at=int(died_at or due_at),
        last_error=error.decode() if error else None,
        reason=reason.decode() if reason else None,
        died_at=int(died_at) if died_at else None,
    )
