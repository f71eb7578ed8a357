"""The operators' side of the engine: counting, looking, replaying, discarding, pausing, moving."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from ..records import DeadLetterFilter, QueueStats, State, StoredMessage
from ..redis.commands import Command
from ..redis.database import Database
from ..redis.operators import read_stats
from ..redis.scripts import Argument, name_of, new_call
from . import scripts
from .job_ids import job_id, message_id_of, names_of
from .jobs import Job, last_error, read, stack, write

#: So many messages are shown, or looked through, in one call.
PAGE = 200

#: How many fields a message has in the answer of lua/show.lua.
MESSAGE_FIELDS = 15


class OperatorSide:
    """What `BullMQBackend` does for people rather than for workers."""

    _database: Database
    _keep_completed: int
    _now: Callable[[], Argument]

    def stats(self) -> Sequence[QueueStats]:
        counted = self._database.ask(Command(scripts.STATS, (self._now(),), read=read_stats))
        return sorted(counted, key=lambda stats: stats.queue)

    def list(self, queue: str, state: State, *, limit: int = 50, offset: int = 0) -> Sequence[StoredMessage]:
        return self._database.ask(Command(scripts.LIST, (queue, state, offset, limit), read=_messages))

    def get(self, message_id: str) -> StoredMessage | None:
        found = self._database.ask(Command(scripts.GET, names_of(message_id), read=_messages))
        return found[0] if found else None

    def dead_letters(
        self, which: DeadLetterFilter, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredMessage]:
        queues = self._queues(which)
        if _is_by_time(which) and len(queues) == 1:  # those before the page need not be looked at
            return list(islice(self._dead(queues[0], which, offset=offset), limit))
        return list(islice(self._matching(which), offset, offset + limit))

    def count_dead_letters(self, which: DeadLetterFilter) -> int:
        if not _is_by_time(which):
            return sum(1 for _ in self._matching(which))
        since, before = _times(which)
        return sum(
            self._database.ask(Command(scripts.COUNT_DEAD, (queue, since, before), read=int))
            for queue in self._queues(which)
        )

    def replay(self, message_id: str, *, payload: bytes | None = None) -> bool:
        written = ("", "") if payload is None else write(payload)
        arguments = (self._now(), new_call(), *names_of(message_id), *written)
        return self._database.store(Command(scripts.REPLAY, arguments, read=bool))

    def discard(self, which: DeadLetterFilter) -> int:
        matching = list(self._matching(which))
        count = 0
        for at in range(0, len(matching), PAGE):
            arguments: list[Argument] = [new_call()]
            for letter in matching[at : at + PAGE]:
                arguments += (letter.queue, job_id(letter.message_id, letter.queue))
            count += self._database.store(Command(scripts.DISCARD, arguments, read=int))
        return count

    def adopt(self, messages: Sequence[StoredMessage]) -> int:
        arguments: list[Argument] = [self._now(), new_call(), self._keep_completed]
        for m in messages:
            arguments += (
                job_id(m.message_id, m.queue),
                m.state,
                m.queue,
                m.actor,
                *write(m.payload),
                m.priority,
            )
            arguments += (m.deliveries, m.crashes, m.enqueued_at, m.due_at, stack(m.last_error))
            arguments += (m.last_error or m.reason or "", m.reason or "", m.died_at or "")
        return self._database.store(Command(scripts.ADOPT, arguments, read=int))

    def remove(self, messages: Sequence[StoredMessage]) -> None:
        arguments = [part for each in messages for part in (*names_of(each.message_id), each.state)]
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
            found = (self.get(message_id) for message_id in dict.fromkeys(which.message_ids))
            letters = [letter for letter in found if letter is not None and letter.state == "dead"]
            newest_first: Iterator[StoredMessage] = iter(sorted(letters, key=_minus_died_at))
        else:
            pages = (self._dead(queue, which) for queue in self._queues(which))
            newest_first = heapq.merge(*pages, key=_minus_died_at)
        return (letter for letter in newest_first if which.matches(letter))

    def _queues(self, which: DeadLetterFilter) -> Sequence[str]:
        """Those in which there may be any."""
        if which.queue is not None:
            return [which.queue]
        return [stats.queue for stats in self.stats() if stats.dead]

    def _dead(self, queue: str, which: DeadLetterFilter, *, offset: int = 0) -> Iterator[StoredMessage]:
        """One queue's of the time that is asked for. The first `offset` are passed over."""
        while True:
            arguments = (queue, *_times(which), offset, PAGE)
            count, *fields = self._database.ask(Command(scripts.DEAD, arguments, read=list))
            yield from _messages(fields)
            offset += count
            if count < PAGE:
                return


def _is_by_time(which: DeadLetterFilter) -> bool:
    """Whether nothing narrows but the queue and the time, by which BullMQ sorts failed jobs."""
    return which == DeadLetterFilter(
        queue=which.queue, died_since=which.died_since, died_before=which.died_before
    )


def _times(which: DeadLetterFilter) -> tuple[Argument, Argument]:
    since, before = ("" if at is None else at for at in (which.died_since, which.died_before))
    return since, before


def _minus_died_at(letter: StoredMessage) -> int:
    return -(letter.died_at or 0)


def _nothing(_: Any) -> None:
    return None


def _messages(answer: Sequence[Any]) -> Sequence[StoredMessage]:
    return [_message(answer[at : at + MESSAGE_FIELDS]) for at in range(0, len(answer), MESSAGE_FIELDS)]


def _message(fields: Sequence[bytes]) -> StoredMessage:
    of_job, of_queue, state, name, data, form, priority, deliveries, crashes, timestamp = fields[:10]
    due, errors, failed_reason, reason, died_at = fields[10:]
    queue = name_of(of_queue)
    job = Job(name_of(of_job), name_of(name), queue, _number(timestamp))
    is_dead = state == b"dead"
    return StoredMessage(
        message_id=message_id_of(job.job_id, queue),
        queue=queue,
        actor=job.name,
        state=state.decode(),  # type: ignore[arg-type]  # one of lua/show.lua's
        payload=read(data, form or None, job=job),
        priority=_number(priority),
        deliveries=_number(deliveries),
        crashes=_number(crashes),
        enqueued_at=job.timestamp,
        due_at=_number(died_at or due),
        last_error=last_error(errors, failed_reason if is_dead else b""),
        reason=(name_of(reason) or "failed") if is_dead else None,
        died_at=_number(died_at) if is_dead else None,
    )


def _number(field: bytes) -> int:
    """A number of a job that any program may have written: it is shown all the same."""
    try:
        return int(field)
    except ValueError:
        return 0
