"""The queue engine on SQLite."""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from ..ack_buffer import AckBuffer
from ..backend import BOUNDLESS, EVERYTHING, Room
from ..clock import now_ms
from ..errors import EngineError, MessageTooLarge
from ..forks import abandon_in_children
from ..interrupts import is_exposed
from ..records import Delivery, QueueMessage, Reason
from . import statements
from .claims import Claim, Claimed, ClaimOfOne
from .consumer_session import ConsumerSession, start_session
from .damaged_rows import has_its_types, set_aside
from .enqueue import Enqueue, MessageWriter, unique_key_holder
from .liveness.wakeups import ANY, WakeupSender
from .operators import OperatorSide
from .settlement import AckBatch, move_to_dead_letters, release, retry_in_place
from .storage.connection import Connection
from .storage.database import Database
from .storage.operations import Change
from .tables import SCHEMA

logger = logging.getLogger(__name__)

#: How long a consumer pauses after the last message of a queue was taken, unless a wake-up comes, in
#: seconds: time for a worker thread to begin with the message, which needs the GIL.
PAUSE_S = 0.001

#: Which share of the disk's reserve is kept free of the messages that an actor sends while it runs.
FOLLOW_UP_SHARE = 0.25


class SQLiteBackend(OperatorSide):
    """A `QueueBackend` in one SQLite file.

    Parameters:
      path: the database file; created when missing.
      max_deliveries: how many workers may die under a message before it becomes a dead letter.
      max_message_bytes: the largest payload to accept.
      clock: milliseconds since the epoch.
    """

    capabilities = EVERYTHING

    def __init__(
        self,
        path: str | Path,
        *,
        max_deliveries: int = 5,
        max_message_bytes: int = 1024 * 1024,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = Database(path, SCHEMA, after_commit=self._notify)
        self._acks = AckBuffer(self._start_ack_batch)
        self.max_deliveries = max_deliveries
        self._max_message_bytes = max_message_bytes
        self._clock = clock
        self._wakeups = WakeupSender(self._database.run_directory)
        self._ready: set[str] = set()  # used only in a commit or just after it, by one thread at a time
        self._tokens = itertools.count(secrets.randbits(62))
        self._message_writer = MessageWriter(clock, self._note_ready)
        self._starting = threading.Lock()
        self._session: ConsumerSession | None = None
        abandon_in_children(self)

    @property
    def database(self) -> Database:
        """The file underneath."""
        return self._database

    # -- in -----------------------------------------------------------------------------------------

    def enqueue(self, message: QueueMessage) -> bool:
        MessageTooLarge.refuse(message.payload, queue=message.queue, limit=self._max_message_bytes)
        self._refuse_if_disk_full()
        return self._database.perform(Enqueue(message, self._message_writer))

    async def enqueue_async(self, message: QueueMessage) -> bool:
        MessageTooLarge.refuse(message.payload, queue=message.queue, limit=self._max_message_bytes)
        self._refuse_if_disk_full()
        return await self._database.perform_async(Enqueue(message, self._message_writer))

    def _refuse_if_disk_full(self) -> None:
        """Keep the last of the disk for the stored messages, and for the messages that they lead to."""
        self._database.disk_space.refuse_if_short(share=FOLLOW_UP_SHARE if is_exposed() else 1.0)

    def holder_of(self, unique_key: str) -> str | None:
        return self._database.read(lambda c: unique_key_holder(c, unique_key, self._clock()))

    # -- out ----------------------------------------------------------------------------------------

    def dequeue(self, queue: str, *, limit: int, timeout_s: float, room: Room = BOUNDLESS) -> list[Delivery]:
        session = self._consumer_session()
        deadline = time.monotonic() + timeout_s
        if queue not in session.idle_queues:
            deliveries, _, is_full = self._claim_within(room, session, queue, limit)
            if deliveries or is_full:
                return deliveries
        # The consumer first records that it waits, then looks for messages. A process that enqueues first
        # commits, then reads which processes wait. So either the consumer finds the message, or it gets a
        # wake-up.
        with session.waiting(queue):
            if queue in session.emptied_queues:
                session.emptied_queues.discard(queue)
                session.receiver.wait(queue, session.receiver.count(queue), min(PAUSE_S, timeout_s))
            while True:
                wakeups = session.receiver.count(queue)
                deliveries, next_due_at, is_full = self._claim_within(room, session, queue, limit)
                remaining_s = deadline - time.monotonic()
                if deliveries or is_full or remaining_s <= 0:
                    return deliveries
                if next_due_at is not None:
                    remaining_s = min(remaining_s, max(0, next_due_at - self._clock()) / 1000)
                session.receiver.wait(queue, wakeups, remaining_s)
                if time.monotonic() >= deadline and session.receiver.count(queue) == wakeups:
                    return []

    def _claim_within(
        self, room: Room, session: ConsumerSession, queue: str, limit: int
    ) -> tuple[list[Delivery], int | None, bool]:
        """Do what `_claim` does, and return as well whether there was no room to claim anything."""
        count = room.take(limit)
        if not count:
            return [], None, True
        deliveries: list[Delivery] = []
        try:
            deliveries, next_due_at = self._claim(session, queue, count)
        finally:
            room.give_back(count - len(deliveries))
        return deliveries, next_due_at, False

    def _claim(self, session: ConsumerSession, queue: str, limit: int) -> tuple[list[Delivery], int | None]:
        """Claim messages; return also when the next delayed one is due, for the case that there are none."""
        first: list[Delivery] = []
        if queue in session.idle_queues:
            first, claimed = self._claim_by(ClaimOfOne, session, queue, 1)
            if claimed.is_last:
                session.emptied_queues.add(queue)
                return first, None
        others: list[Delivery] = []
        if len(first) < limit:
            try:
                others, claimed = self._claim_by(Claim, session, queue, limit - len(first))
            except EngineError:
                for delivery in first:  # the caller gets the error, and no message
                    self._release_claim(session.entry.owner, delivery.token)
                raise
        if first or others:
            session.idle_queues.discard(queue)
        return first + others, claimed.next_due_at

    def _claim_by(
        self, kind: type[Claim], session: ConsumerSession, queue: str, limit: int
    ) -> tuple[list[Delivery], Claimed]:
        owner, token = session.entry.owner, next(self._tokens)
        try:
            claimed = self._database.perform(kind(queue, limit, owner=owner, token=token, clock=self._clock))
            deliveries, claimed_at, claimed_s = [], claimed.at, time.monotonic()
            for head, in_row in claimed.messages():
                key, message_id, count, enqueued_at, due_at, crashes = head
                payload = self._database.read(partial(_body, key)) if in_row is None else in_row
                if payload is None or not has_its_types(head):
                    what = "its payload is gone" if payload is None else "a field is of another type"
                    self._database.write(partial(self._set_aside, key, what))
                    continue
                deliveries.append(
                    Delivery(
                        *(key, token, queue, message_id, payload, count, enqueued_at, due_at, crashes),
                        *(claimed_at, claimed_s),
                    )
                )
        except EngineError:
            self._release_claim(owner, token)
            raise
        return deliveries, claimed

    def _set_aside(self, key: int, what: str, connection: Connection) -> None:
        logger.error("Message in row %d is a dead letter: %s", key, what)
        set_aside(connection, key, what, self._clock())

    def _release_claim(self, owner: int, token: int) -> None:
        """Give back the messages of a claim that failed, or that had no answer and may commit later."""

        def apply(connection: Connection) -> None:
            connection.execute(statements.RELEASE_CLAIM, (owner, token))
            self._note_ready()

        self._database.submit(Change(apply, durable=False, lazy=True))

    def started(self, delivery: Delivery) -> None:
        self._consumer_session().entry.started(delivery.lease, self._clock())

    def ack(self, delivery: Delivery) -> None:
        self._acks.add(delivery)
        self._consumer_session().entry.finished(delivery.lease)

    def _start_ack_batch(self) -> None:
        self._database.submit(AckBatch(self._acks))

    def nack(self, delivery: Delivery, *, reason: Reason, error: str | None) -> None:
        def apply(connection: Connection) -> None:
            move_to_dead_letters(
                connection,
                cast(int, delivery.receipt),
                delivery.token,
                reason=reason,
                error=error,
                now_ms=self._clock(),
            )

        self._settle([delivery], apply)

    def retry(
        self, delivery: Delivery, *, queue: str, payload: bytes, delay_ms: int, error: str | None
    ) -> None:
        MessageTooLarge.refuse(payload, queue=queue, limit=self._max_message_bytes)

        def apply(connection: Connection) -> None:
            now = self._clock()
            if retry_in_place(
                connection, delivery, queue=queue, payload=payload, delay_ms=delay_ms, error=error, now_ms=now
            ):
                self._note_ready(queue)

        self._settle([delivery], apply)

    def release(self, deliveries: Sequence[Delivery], *, delay_ms: int = 0) -> None:
        def apply(connection: Connection) -> None:
            release(connection, deliveries, delay_ms=delay_ms, now_ms=self._clock())
            for delivery in deliveries:
                self._note_ready(delivery.queue)

        self._settle(deliveries, apply)

    def _settle(self, deliveries: Sequence[Delivery], apply: Callable[[Connection], None]) -> None:
        self._database.write(apply, durable=False)
        for delivery in deliveries:
            self._consumer_session().entry.finished(delivery.lease)

    def now_ms(self) -> int:
        return self._clock()

    def sync(self) -> None:
        # By way of the writer's inbox, behind all acks: `write` might commit on this thread, before them.
        behind_all_acks: Change[None] = Change(lambda _: None, durable=False)
        behind_all_acks.wait(self._database.submit, self._database.write_timeout_s)

    # -- the rest -----------------------------------------------------------------------------------

    def report_death(self, pid: int) -> None:  # noqa: ARG002  its file lock says more than its number
        self._consumer_session().maintenance.recover()

    def check(self, *, timeout_s: float) -> None:
        self._database.disk_space.refuse_if_short()
        self._database.check(at_ms=self._clock(), timeout_s=timeout_s)

    def close(self) -> None:
        with self._starting:
            session, self._session = self._session, None
        if session is not None:
            session.maintenance.stop()
        self._database.close()
        self._wakeups.close()
        if session is not None:
            session.leave()  # last: while this process has leases, it has an entry

    def abandon(self) -> None:
        """Forget the parent's session in a forked child: the child makes one of its own when it consumes."""
        self._session = None
        self._starting = threading.Lock()
        self._acks = AckBuffer(self._start_ack_batch)
        self._tokens = itertools.count(secrets.randbits(62))
        self._wakeups.close()
        self._wakeups = WakeupSender(self._database.run_directory)

    def _consumer_session(self) -> ConsumerSession:
        """Return this process's session, started at the first use. A process that only enqueues has none."""
        session = self._session
        if session is not None:
            return session
        with self._starting:
            if self._session is None:
                self._database.read(lambda _: None)  # makes the run directory
                try:
                    self._session = start_session(
                        self._database,
                        max_deliveries=self.max_deliveries,
                        clock=self._clock,
                        on_recovered=self._note_ready,
                    )
                except OSError as error:
                    raise EngineError(f"Cannot use {self._database.run_directory}: {error}") from error
            return self._session

    def _note_ready(self, queue: str = ANY) -> None:
        self._ready.add(queue)

    def _notify(self) -> None:
        """Wake waiting consumers just after a commit that made a message ready. See the race in `dequeue`."""
        if not self._ready:
            return
        queues, self._ready = self._ready, set()
        session = self._session
        self._wakeups.notify_waiting(queues, session.entry.owner if session else None)
        if session is not None:
            session.receiver.notify(queues)


def _body(key: int, connection: Connection) -> bytes | None:
    row: Any = connection.execute(statements.READ_BODY, (key,)).fetchone()
    return None if row is None else row[0]
