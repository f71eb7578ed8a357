"""The queue engine on BullMQ's queues."""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, cast

from ..ack_buffer import AckBuffer, by_claim
from ..backend import BOUNDLESS, Capabilities, Room
from ..errors import EngineError, MessageTooLarge
from ..forks import abandon_in_children
from ..records import Delivery, QueueMessage, Reason
from ..redis import scripts as redis_scripts
from ..redis.commands import Command
from ..redis.consumer_session import PollState
from ..redis.database import Database
from ..redis.host_processes import this_host
from ..redis.options import RedisOptions
from ..redis.scripts import Argument, encoded, name_of, new_call
from . import scripts
from .job_ids import job_id, message_id_of
from .jobs import Job, read, stack, write
from .operators import OperatorSide
from .session import ConsumerSession

logger = logging.getLogger(__name__)

#: How often to look for messages without being woken, in seconds, should a wake-up have been lost. BullMQ's
#: workers do so as often.
SLOW_POLL_S = 5.0

#: How many messages one claim takes at most: BullMQ moves each by some fifteen commands, so this many hold up
#: the server for a few milliseconds.
CLAIM_LIMIT = 100

#: How many parts a message has in the answer of lua/claim.lua.
CLAIM_FIELDS = 9

#: What a dead letter says whose job had lost its hash. Only a server that may evict keys loses any.
LOST = (
    "Redis has lost this job, or a part of it: what it said is gone. Set maxmemory-policy to noeviction, and "
    "see that nothing else changes these keys."
)


class BullMQBackend(OperatorSide):
    """A `QueueBackend` on BullMQ's queues. See `BullMQBroker`.

    Parameters:
      server: the server, or its URL alone.
      prefix: what the names of all keys begin with, BullMQ's own word.
      max_deliveries: how many workers may die under a message before it becomes a dead letter.
      max_message_bytes: the largest payload to accept.
      keep_completed: how many jobs that are done each queue keeps, for BullMQ's tools.
      lock_s: a process silent for so many seconds has lost what it holds.
      clock: milliseconds since the epoch, where that is not the server's time.

    Raises:
      ValueError: the URL is none, or a number is out of bounds.
    """

    capabilities = Capabilities(asks_the_kernel=False, in_due_order=False, is_remote=True, lookup_page=250)

    def __init__(
        self,
        server: RedisOptions | str,
        *,
        prefix: str = "bull",
        max_deliveries: int = 5,
        max_message_bytes: int = 1024 * 1024,
        keep_completed: int = 0,
        lock_s: float = 30.0,
        clock: Callable[[], int] | None = None,
    ) -> None:
        if lock_s < 1:
            raise ValueError("lock_s must be at least 1 second")
        if keep_completed < 0:
            raise ValueError("keep_completed must not be negative")
        self._prefix = prefix
        # No queue of Dramatiq's has such a name.
        self._database = Database(server, base=f"{prefix}:.recado")
        self.max_deliveries = max_deliveries
        self._max_message_bytes = max_message_bytes
        self._keep_completed = keep_completed
        self._lock_ms = int(lock_s * 1000)
        self._clock = clock
        self._not_left: list[str] = []  # owners of this process's: the server was away when they were closed
        self._start_anew()
        abandon_in_children(self)

    def _start_anew(self) -> None:
        self._arriving = threading.Lock()
        self._current_session: ConsumerSession | None = None
        self._tokens = itertools.count(secrets.randbits(62))
        self._acks = AckBuffer(self._start_ack_batch)

    # -- in -----------------------------------------------------------------------------------------

    def enqueue(self, message: QueueMessage) -> bool:
        return self._database.store(self._enqueue(message))

    async def enqueue_async(self, message: QueueMessage) -> bool:
        return await self._database.store_async(self._enqueue(message))

    def _enqueue(self, message: QueueMessage) -> Command[bool]:
        m = message
        MessageTooLarge.refuse(m.payload, queue=m.queue, limit=self._max_message_bytes)
        arguments = (
            *(self._now(), new_call(), m.queue, job_id(m.message_id, m.queue), m.message_id, m.actor),
            *(*write(m.payload), m.priority, m.delay_ms, m.unique_key or "", m.unique_for_ms, m.waited_ms),
            self._keep_completed,
        )
        return Command(scripts.ENQUEUE, arguments, read=bool)

    def holder_of(self, unique_key: str) -> str | None:
        return self._database.ask(Command(redis_scripts.HOLDER_OF, (self._now(), unique_key), read=_text))

    # -- out ----------------------------------------------------------------------------------------

    def dequeue(self, queue: str, *, limit: int, timeout_s: float, room: Room = BOUNDLESS) -> list[Delivery]:
        session = self._session()
        poll_state = session.poll_state(queue)
        deadline, is_woken = time.monotonic() + timeout_s, False
        while True:
            # A caller that does not wait asks the server all the same: a marker may just have been set.
            if timeout_s <= 0 or is_woken or self._now_s() >= poll_state.look_at_s:
                count = room.take(min(limit, CLAIM_LIMIT))
                deliveries: list[Delivery] = []
                try:
                    if count:
                        deliveries = self._claim(session, poll_state, queue, count)
                    elif is_woken:
                        self._pass_on(queue)
                finally:
                    room.give_back(count - len(deliveries))
                if deliveries or not count:
                    return deliveries
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                return []
            pause_s = max(0.0, min(remaining_s, poll_state.look_at_s - self._now_s()))
            is_woken = session.markers.wait(queue, pause_s)

    def _pass_on(self, queue: str) -> None:
        self._database.submit(Command(scripts.PASS_ON, (queue,), read=_nothing, lazy=True))

    def _claim(
        self, session: ConsumerSession, poll_state: PollState, queue: str, limit: int
    ) -> list[Delivery]:
        token = next(self._tokens)
        claim = (
            *(self._now(), queue, session.owner, token, limit, self._lock_ms),
            *(f"recado-{session.owner}", self.max_deliveries),
        )
        try:
            answer = self._database.ask(Command(scripts.CLAIM, claim, read=list))
        except EngineError:
            # Perhaps it was carried out, and only the answer was lost.
            unclaim = (self._now(), session.owner, token)
            self._database.submit(Command(scripts.GIVE_BACK, unclaim, read=_nothing, lazy=True))
            raise
        next_due_in_ms, claimed_at, *fields = answer
        if not fields:
            due_in_s = SLOW_POLL_S if next_due_in_ms < 0 else next_due_in_ms / 1000
            poll_state.found_nothing(0, self._now_s() + min(due_in_s, SLOW_POLL_S))
            return []
        poll_state.found_something()
        clocks = (int(claimed_at), time.monotonic())
        records = zip(*[iter(fields)] * CLAIM_FIELDS, strict=True)
        deliveries = [self._delivery(queue, token, record, clocks) for record in records]
        session.locks.hold(deliveries)
        return [each for each in deliveries if not self._is_lost(session, each)]

    def _delivery(self, queue: str, token: int, record: Sequence[Any], clocks: tuple[int, float]) -> Delivery:
        of_job, name, data, form, deliveries, crashes, timestamp, due, replayed = record
        job = Job(name_of(of_job), name_of(name or b""), queue, int(timestamp or clocks[0]))
        payload = (
            None if data is None else read(data, form, job=job, replayed_at=clocks[0] if replayed else None)
        )
        return Delivery(
            of_job,
            token,
            queue,
            message_id_of(job.job_id, queue),
            cast(bytes, payload),  # None for a moment, see `_is_lost`
            deliveries=int(deliveries),
            enqueued_at=job.timestamp,
            due_at=int(due),
            crashes=int(crashes),
            claimed_at=clocks[0],
            claimed_s=clocks[1],
        )

    def _is_lost(self, session: ConsumerSession, delivery: Delivery) -> bool:
        """Whether there is nothing left of a message. Then it is a dead letter by now."""
        if delivery.payload is not None:
            return False
        logger.error("Message %s is a dead letter: %s", delivery.message_id, LOST)
        reason: Reason = "undecodable"
        arguments = (self._now(), *self._lease(delivery), reason, stack(LOST))
        # Should it fail, the message stays held until its lock ends, and is then found like this again.
        self._database.submit(Command(scripts.NACK, arguments, read=_nothing, lazy=True))
        session.locks.let_go(delivery)
        return True

    def started(self, delivery: Delivery) -> None:
        self._session().started.set(delivery.lease)

    def ack(self, delivery: Delivery) -> None:
        self._acks.add(delivery)
        self._session().started.clear(delivery.lease)

    def _start_ack_batch(self) -> None:
        self._database.submit(_AckBatch(self._acks, self._session(), self._now(), self._keep_completed))

    def nack(self, delivery: Delivery, *, reason: Reason, error: str | None) -> None:
        arguments = (self._now(), *self._lease(delivery), reason, stack(error))
        self._settle([delivery], Command(scripts.NACK, arguments, read=_nothing))

    def retry(
        self, delivery: Delivery, *, queue: str, payload: bytes, delay_ms: int, error: str | None
    ) -> None:
        MessageTooLarge.refuse(payload, queue=queue, limit=self._max_message_bytes)
        same = queue == delivery.queue
        new_id = cast(bytes, delivery.receipt) if same else encoded(job_id(delivery.message_id, queue))
        arguments = (
            *(self._now(), *self._lease(delivery), queue, new_id, *write(payload), delay_ms, stack(error)),
            self._keep_completed,
        )
        self._settle([delivery], Command(scripts.RETRY, arguments, read=_nothing))

    def release(self, deliveries: Sequence[Delivery], *, delay_ms: int = 0) -> None:
        arguments: list[Argument] = [self._now(), self._session().owner, delay_ms]
        for delivery in deliveries:
            arguments += (delivery.queue, delivery.token, delivery.receipt)
        self._settle(deliveries, Command(scripts.RELEASE, arguments, read=_nothing))

    def _settle(self, deliveries: Sequence[Delivery], command: Command[None]) -> None:
        self._database.ask(command)
        session = self._session()
        for delivery in deliveries:
            session.locks.let_go(delivery)
            session.started.clear(delivery.lease)

    def _lease(self, delivery: Delivery) -> tuple[Argument, ...]:
        return (self._session().owner, delivery.queue, delivery.token, delivery.receipt)

    def now_ms(self) -> int:
        return self._database.ask(Command(redis_scripts.NOW, (self._now(),), read=int))

    def sync(self) -> None:
        self._database.ask_in_order(Command(redis_scripts.NOTHING, read=_nothing))

    # -- the rest -----------------------------------------------------------------------------------

    def report_death(self, pid: int) -> None:
        arguments = (self._now(), self.max_deliveries, this_host(), pid)
        self._database.ask(Command(scripts.REPORT_DEATH, arguments, read=_nothing))

    def check(self, *, timeout_s: float) -> None:
        self._database.check(Command(redis_scripts.CHECK, read=_nothing), timeout_s=timeout_s)

    def close(self) -> None:
        with self._arriving:
            session, self._current_session = self._current_session, None
        self._database.close()  # first, because it writes what is still to be written: acks
        if session is not None:
            session.stop()
            try:
                self._leave(session.owner)
            except EngineError as error:
                logger.warning(
                    "Could not give back what is held. It runs elsewhere when its locks end: %s", error
                )
                self._not_left.append(session.owner)
            self._database.close()
        self._start_anew()

    def _leave(self, owner: str) -> None:
        self._database.ask(Command(scripts.GIVE_BACK, (self._now(), owner, ""), read=_nothing))

    def abandon(self) -> None:
        """In a forked child: it is another process, with a name of its own when it consumes."""
        self._not_left = []
        self._start_anew()

    def _now(self) -> Argument:
        return "" if self._clock is None else self._clock()

    def _now_s(self) -> float:
        return time.monotonic() if self._clock is None else self._clock() / 1000

    def _session(self) -> ConsumerSession:
        """What this process needs once it consumes; an enqueuing process never gets here."""
        session = self._current_session
        if session is not None:
            return session
        with self._arriving:
            if self._current_session is None:
                self._database.look_at_server()
                while self._not_left:
                    self._leave(self._not_left[-1])
                    self._not_left.pop()
                self._current_session = ConsumerSession(
                    self._database,
                    prefix=self._prefix,
                    lock_ms=self._lock_ms,
                    max_deliveries=self.max_deliveries,
                )
            return self._current_session


class _AckBatch(Command[None]):
    """Acknowledges what waits when its turn comes. What it took it keeps, so that it can be tried again."""

    def __init__(self, acks: AckBuffer, session: ConsumerSession, now: Argument, keep: int) -> None:
        super().__init__(scripts.ACK, read=_nothing, lazy=True)
        self._acks = acks
        self._session = session
        self._beginning: Sequence[Argument] = (now, session.owner, keep)
        self._deliveries: list[Delivery] = []

    def arguments(self) -> Sequence[Argument]:
        self._deliveries += self._acks.take()
        arguments: list[Argument] = [*self._beginning]
        for (queue, token), job_ids in by_claim(self._deliveries).items():
            arguments += (queue, token, len(job_ids), *job_ids)
        return [encoded(argument) for argument in arguments]

    def settle(self, answer: Any) -> None:
        super().settle(answer)
        if self.error is None:  # until it is written, the locks are needed
            for delivery in self._deliveries:
                self._session.locks.let_go(delivery)


def _nothing(_: Any) -> None:
    return None


def _text(answer: bytes | None) -> str | None:
    return None if answer is None else name_of(answer)
