"""The operators' side of the engine: counting, looking, replaying, discarding, pausing."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

from ..records import DeadLetterFilter, QueueStats, State, StoredMessage, earlier_of
from . import scripts
from .commands import Command
from .database import Database
from .scripts import Argument, name_of, new_call

#: Answers with so many messages, or deletions of so many, hold up the server for a millisecond at most.
PAGE = 200

#: Looking through so many without showing them does the same.
FIND_PAGE = 1_000

#: How many fields a message has in an answer (see lua/show.lua), and a queue in lua/stats.lua.
MESSAGE_FIELDS, QUEUE_FIELDS = 13, 11


class OperatorSide:
    """What `RedisBackend` does for people rather than for workers."""

    _database: Database
    _now: Callable[[], Argument]

    def stats(self) -> Sequence[QueueStats]:
        counted = self._database.ask(Command(scripts.STATS, (self._now(),), read=read_stats))
        return sorted(counted, key=lambda stats: stats.queue)

    def list(self, queue: str, state: State, *, limit: int = 50, offset: int = 0) -> Sequence[StoredMessage]:
        return self._database.ask(Command(scripts.LIST, (queue, state, offset, limit), read=_messages))

    def get(self, message_id: str) -> StoredMessage | None:
        found = self._database.ask(Command(scripts.GET, (message_id,), read=_messages))
        return found[0] if found else None

    def dead_letters(
        self, which: DeadLetterFilter, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredMessage]:
        queues = self._queues(which)
        if _is_by_time(which) and len(queues) == 1:  # those before the page need not be looked at
            found = islice(self._found(queues[0], which, offset=offset), limit)
            return self._show_dead([message_id for _, message_id in found])
        return self._show_dead(list(islice(self._matching(which), offset, offset + limit)))

    def count_dead_letters(self, which: DeadLetterFilter) -> int:
        if not _is_by_time(which):
            return sum(1 for _ in self._matching(which))
        since, before = ("" if at is None else at for at in (which.died_since, which.died_before))
        return sum(
            self._database.ask(Command(scripts.COUNT_DEAD, (queue, since, before), read=int))
            for queue in self._queues(which)
        )

    def replay(self, message_id: str, *, payload: bytes | None = None) -> bool:
        arguments = (self._now(), new_call(), message_id, payload or b"", int(payload is not None))
        return self._database.store(Command(scripts.REPLAY, arguments, read=bool))

    def discard(self, which: DeadLetterFilter) -> int:
        matching = list(self._matching(which))
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

    def _matching(self, which: DeadLetterFilter) -> Iterator[str]:
        """The ids of dead letters, newest first."""
        if which.message_ids is not None:
            letters = self._show_dead(list(dict.fromkeys(which.message_ids)))
            newest_first = sorted(letters, key=lambda letter: -(letter.died_at or 0))
            return (letter.message_id for letter in newest_first if which.matches(letter))
        found = heapq.merge(*(self._found(queue, which) for queue in self._queues(which)), key=itemgetter(0))
        return (message_id for _, message_id in found)

    def _queues(self, which: DeadLetterFilter) -> Sequence[str]:
        """Those in which there may be any."""
        if which.queue is not None:
            return [which.queue]
        return [stats.queue for stats in self.stats() if stats.dead]

    def _found(self, queue: str, which: DeadLetterFilter, *, offset: int = 0) -> Iterator[tuple[int, str]]:
        """One queue's: minus the time of death, and the id. The first `offset` that died at such a time are
        passed over, whether they match or not."""
        criteria = _criteria(which)
        while True:
            arguments = (queue, offset, FIND_PAGE, *criteria)
            count, *page = self._database.ask(Command(scripts.FIND_DEAD, arguments, read=list))
            for message_id, died_at in zip(page[::2], page[1::2], strict=True):
                yield -int(died_at), name_of(message_id)
            offset += count
            if count < FIND_PAGE:
                return

    def _show_dead(self, message_ids: Sequence[str]) -> Sequence[StoredMessage]:
        pages = [message_ids[at : at + PAGE] for at in range(0, len(message_ids), PAGE)]
        return [
            letter
            for page in pages
            for letter in self._database.ask(Command(scripts.SHOW_DEAD, page, read=_messages))
        ]


def _is_by_time(which: DeadLetterFilter) -> bool:
    """Whether nothing narrows but the queue and the time, which the sets of dead letters are sorted by."""
    return which == DeadLetterFilter(
        queue=which.queue, died_since=which.died_since, died_before=which.died_before
    )


def _criteria(which: DeadLetterFilter) -> Sequence[Argument]:
    """As find_dead.lua takes them."""
    narrow = (which.actor, which.reason, which.died_since, which.died_before, *(which.spellings or ("", "")))
    return ["" if criterion is None else criterion for criterion in narrow]


def _nothing(_: Any) -> None:
    return None


def read_stats(answer: list[Any]) -> Sequence[QueueStats]:
    """Read what a script counted of each queue, see lua/stats.lua."""
    queues = []
    for at in range(0, len(answer), QUEUE_FIELDS):
        name, ready, delayed, running, dead, done, *of_times = answer[at : at + QUEUE_FIELDS]
        now, oldest_due, oldest_tried, paused, died = of_times
        oldest_due_at, oldest_tried_at = (int(each) if each else None for each in (oldest_due, oldest_tried))
        queues.append(
            QueueStats(
                queue=name_of(name),
                ready=ready,
                delayed=delayed,
                running=running,
                dead=dead,
                done=int(done),
                oldest_due_at=oldest_due_at,
                counted_at=int(now),
                waits_since=earlier_of(oldest_due_at, oldest_tried_at),
                paused=bool(paused),
                died={
                    name_of(reason): _number(count)
                    for reason, count in zip(died[::2], died[1::2], strict=True)
                },
            )
        )
    return queues


def _messages(answer: list[Any]) -> Sequence[StoredMessage]:
    return [_message(answer[at : at + MESSAGE_FIELDS]) for at in range(0, len(answer), MESSAGE_FIELDS)]


def _message(fields: Sequence[Any]) -> StoredMessage:
    message_id, state, queue, actor, payload, priority, deliveries, crashes = fields[:8]
    enqueued_at, due_at, error, reason, died_at = fields[8:]
    return StoredMessage(
        message_id=name_of(message_id),
        queue=name_of(queue),
        actor=name_of(actor),
        state=state.decode(),
        payload=payload,
        priority=_number(priority),
        deliveries=_number(deliveries),
        crashes=_number(crashes),
        enqueued_at=_number(enqueued_at),
        due_at=_number(died_at or due_at),
        last_error=error.decode(errors="replace") if error else None,
        reason=name_of(reason) if reason else None,
        died_at=_number(died_at) if died_at else None,
    )


def _number(field: bytes | int) -> int:
    """A number of a message that may not be whole: it is shown all the same."""
    try:
        return int(field)
    except ValueError:
        return 0
