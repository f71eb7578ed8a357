"""The queue engine on SQLite."""

from __future__ import annotations

import itertools
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from ..acks import Acks, by_claim
from ..backend import BOUNDLESS, Delivery, QueueMessage, Reason, Room
from ..clock import now_ms
from ..errors import EngineError, MessageTooLarge
from ..forks import abandon_in_children
from ..interrupts import is_exposed
from . import statements
from .arrivals import Arrival, Arrivals, holder_of, place, when
from .caretaker import Caretaker, bury
from .claims import Claim, ClaimOfOne, Taken
from .connection import Connection
from .damage import is_whole, set_aside
from .database import WRITE_TIMEOUT_S, Database
from .desk import Desk
from .doorbell import Doorbell, Street
from .operators import OperatorSide
from .presence import Presence
from .tables import SCHEMA
from .write import Change, Write

logger = logging.getLogger(__name__)

#: After the last message of a queue was taken, how long until looking for more, unless the bell rings, in
#: seconds: time for a worker thread to begin with it, which needs the GIL.
BREATH_S = 0.001

#: Which share of the disk's reserve is kept free of messages that a message leads to while it is processed.
FOLLOW_UP_SHARE = 0.25


class SQLiteBackend(OperatorSide):
    """A `QueueBackend` in one SQLite file.

    Parameters:
      path: the database file; created when missing.
      max_deliveries: how many workers may die under a message before it becomes a dead letter.
      max_message_bytes: the largest payload to accept.
      clock: milliseconds since the epoch.
    """

    def __init__(
        self,
        path: str | Path,
        *,
        max_deliveries: int = 5,
        max_message_bytes: int = 1024 * 1024,
        clock: Callable[[], int] = now_ms,
    ) -> None:
        self._database = Database(path, SCHEMA, after_commit=self._ring)
        self._acks = Acks(self._start_ack_batch)
        self.max_deliveries = max_deliveries
        self._max_message_bytes = max_message_bytes
        self._clock = clock
        self._street = Street(self._database.run_directory)
        self._wakes = False  # touched only while committing or just after, which one thread does at a time
        self._tokens = itertools.count(secrets.randbits(62))
        self._arrivals = Arrivals(clock, self._note_wake)
        self._arriving = threading.Lock()
        self._desk: Desk | None = None
        abandon_in_children(self)

    @property
    def database(self) -> Database:
        """The file underneath."""
        return self._database

    # -- in -----------------------------------------------------------------------------------------

    def enqueue(self, message: QueueMessage) -> bool:
        MessageTooLarge.refuse(message.payload, queue=message.queue, limit=self._max_message_bytes)
        self._refuse_if_short()
        return self._database.perform(Arrival(message, self._arrivals))

    async def enqueue_async(self, message: QueueMessage) -> bool:
        MessageTooLarge.refuse(message.payload, queue=message.queue, limit=self._max_message_bytes)
        self._refuse_if_short()
        return await self._database.perform_async(Arrival(message, self._arrivals))

    def _refuse_if_short(self) -> None:
        """Keep the last of the disk for what is stored already, and for what that leads to."""
        self._database.room.refuse_if_short(share=FOLLOW_UP_SHARE if is_exposed() else 1.0)

    def holder_of(self, unique_key: str) -> str | None:
        return self._database.read(lambda c: holder_of(c, unique_key, self._clock()))

    # -- out ----------------------------------------------------------------------------------------

    def dequeue(self, queue: str, *, limit: int, timeout_s: float, room: Room = BOUNDLESS) -> list[Delivery]:
        desk = self._at_desk()
        deadline = time.monotonic() + timeout_s
        if queue not in desk.idle_queues:
            deliveries, _, is_full = self._claim_within(room, desk, queue, limit)
            if deliveries or is_full:
                return deliveries
        # From here on others know that we wait. They look for that after their commits, and we look for
        # messages after we have said it: one of the two sees the other.
        with desk.waiting(queue):
            if queue in desk.emptied_queues:
                desk.emptied_queues.discard(queue)
                desk.doorbell.wait(desk.doorbell.heard(), min(BREATH_S, timeout_s))
            while True:
                heard = desk.doorbell.heard()
                deliveries, next_due_at, is_full = self._claim_within(room, desk, queue, limit)
                remaining_s = deadline - time.monotonic()
                if deliveries or is_full or remaining_s <= 0:
                    return deliveries
                if next_due_at is not None:
                    remaining_s = min(remaining_s, max(0, next_due_at - self._clock()) / 1000)
                desk.doorbell.wait(heard, remaining_s)
                if time.monotonic() >= deadline and desk.doorbell.heard() == heard:
                    return []

    def _claim_within(
        self, room: Room, desk: Desk, queue: str, limit: int
    ) -> tuple[list[Delivery], int | None, bool]:
        """As `_claim`, and whether there was no room to claim anything."""
        count = room.take(limit)
        if not count:
            return [], None, True
        deliveries: list[Delivery] = []
        try:
            deliveries, next_due_at = self._claim(desk, queue, count)
        finally:
            room.give_back(count - len(deliveries))
        return deliveries, next_due_at, False

    def _claim(self, desk: Desk, queue: str, limit: int) -> tuple[list[Delivery], int | None]:
        """Messages, and if there are none, when to look again."""
        first: list[Delivery] = []
        if queue in desk.idle_queues:
            first, taken = self._take(desk, ClaimOfOne, queue, 1)
            if taken.is_all:
                desk.emptied_queues.add(queue)
                return first, None
        others: list[Delivery] = []
        if len(first) < limit:
            try:
                others, taken = self._take(desk, Claim, queue, limit - len(first))
            except EngineError:
                for delivery in first:  # the caller learns of the failure, and of no message
                    self._unclaim(desk.presence.owner, delivery.token)
                raise
        if first or others:
            desk.idle_queues.discard(queue)
        return first + others, taken.next_due_at

    def _take(self, desk: Desk, kind: type[Claim], queue: str, limit: int) -> tuple[list[Delivery], Taken]:
        owner, token = desk.presence.owner, next(self._tokens)
        try:
            taken = self._database.perform(kind(queue, limit, owner=owner, token=token, clock=self._clock))
            deliveries, claimed_s = [], time.monotonic()
            for head, inline in taken.messages():
                key, message_id, count, enqueued_at, due_at, crashes = head
                payload = self._database.read(partial(_body, key)) if inline is None else inline
                if payload is None or not is_whole(head):
                    what = "its payload is gone" if payload is None else "a field is of another type"
                    self._database.write(partial(self._set_aside, key, what))
                    continue
                deliveries.append(
                    Delivery(
                        *(key, token, queue, message_id, payload, count, enqueued_at, due_at, crashes),
                        claimed_at=taken.at,
                        claimed_s=claimed_s,
                    )
                )
        except EngineError:
            self._unclaim(owner, token)
            raise
        return deliveries, taken

    def _set_aside(self, key: int, what: str, connection: Connection) -> None:
        logger.error("Message in row %d is a dead letter: %s", key, what)
        set_aside(connection, key, what, self._clock())

    def _unclaim(self, owner: int, token: int) -> None:
        """A claim failed, or was not answered in time. If it is committed all the same, nobody knows."""

        def apply(connection: Connection) -> None:
            connection.execute(statements.UNCLAIM, (owner, token))
            self._wakes = True

        self._database.submit(Change(apply, durable=False, lazy=True))

    def started(self, delivery: Delivery) -> None:
        self._at_desk().presence.started(delivery.lease, self._clock())

    def ack(self, delivery: Delivery) -> None:
        self._acks.add(delivery)
        self._at_desk().presence.finished(delivery.lease)

    def _start_ack_batch(self) -> None:
        self._database.submit(_AckBatch(self._acks))

    def nack(self, delivery: Delivery, *, reason: Reason, error: str | None) -> None:
        self._settle(
            delivery,
            lambda c: bury(c, delivery.key, delivery.token, reason=reason, error=error, now_ms=self._clock()),
        )

    def retry(
        self, delivery: Delivery, *, queue: str, payload: bytes, delay_ms: int, error: str | None
    ) -> None:
        MessageTooLarge.refuse(payload, queue=queue, limit=self._max_message_bytes)

        def apply(connection: Connection) -> None:
            state, due_at = when(delay_ms, self._clock())
            inline, beside = place(payload)
            connection.execute(
                statements.RETRY, (state, due_at, queue, inline, error, delivery.key, delivery.token)
            )
            if not connection.changes():
                return  # a stale token
            if beside is not None:
                connection.execute(statements.KEEP_BODY, (delivery.key, beside))
            else:
                connection.execute(statements.FORGET_BODY, (delivery.key,))
            self._wakes = True

        self._settle(delivery, apply)

    def release(self, deliveries: Sequence[Delivery], *, delay_ms: int = 0) -> None:
        def apply(connection: Connection) -> None:
            state, due_at = when(delay_ms, self._clock()) if delay_ms else ("ready", 0)
            keys = [(state, due_at, delivery.key, delivery.token) for delivery in deliveries]
            connection.executemany(statements.RELEASE, keys)
            self._wakes = True

        self._database.write(apply, durable=False)
        for delivery in deliveries:
            self._at_desk().presence.finished(delivery.lease)

    def _settle(self, delivery: Delivery, apply: Callable[[Connection], None]) -> None:
        self._database.write(apply, durable=False)
        self._at_desk().presence.finished(delivery.lease)

    def now_ms(self) -> int:
        return self._clock()

    def sync(self) -> None:
        # Behind them in the writer's queue: `write` might find a way past it.
        behind_all_acks: Change[None] = Change(lambda _: None, durable=False)
        behind_all_acks.wait(self._database.submit, WRITE_TIMEOUT_S)

    # -- the rest -----------------------------------------------------------------------------------

    def pause(self, queue: str) -> None:
        self._database.write(lambda c: _run(c, statements.PAUSE, (queue, 1)))

    def resume(self, queue: str) -> None:
        def apply(connection: Connection) -> None:
            connection.execute(statements.PAUSE, (queue, 0))
            self._wakes = True

        self._database.write(apply)

    def flush(self, queue: str) -> None:
        def apply(connection: Connection) -> None:
            connection.execute(statements.FLUSH_LIVE, (queue,))
            connection.execute(statements.FLUSH_DEAD, (queue,))

        self._database.write(apply)

    def report_death(self, pid: int) -> None:  # noqa: ARG002  its file lock says more than its number
        self._at_desk().caretaker.recover()

    def check(self, *, timeout_s: float) -> None:
        self._database.room.refuse_if_short()
        self._database.check(at_ms=self._clock(), timeout_s=timeout_s)

    def close(self) -> None:
        with self._arriving:
            desk, self._desk = self._desk, None
        if desk is not None:
            desk.caretaker.stop()
        self._database.close()
        self._street.close()
        if desk is not None:
            # Last: while this process has leases it must look alive.
            desk.doorbell.close()
            desk.presence.close()

    def abandon(self) -> None:
        """In a forked child: it is another process, with a presence of its own when it consumes."""
        self._desk = None
        self._arriving = threading.Lock()
        self._acks = Acks(self._start_ack_batch)
        self._tokens = itertools.count(secrets.randbits(62))
        self._street.close()
        self._street = Street(self._database.run_directory)

    def _at_desk(self) -> Desk:
        """What this process needs once it consumes; an enqueuing process never gets here."""
        desk = self._desk
        if desk is not None:
            return desk
        with self._arriving:
            if self._desk is None:
                self._database.read(lambda _: None)  # makes the run directory
                try:
                    self._desk = self._arrive()
                except OSError as error:
                    raise EngineError(f"Cannot use {self._database.run_directory}: {error}") from error
            return self._desk

    def _arrive(self) -> Desk:
        with ExitStack() as on_failure:
            presence = on_failure.enter_context(closing(Presence(self._database.run_directory)))
            doorbell = on_failure.enter_context(closing(Doorbell(presence)))
            caretaker = Caretaker(
                self._database,
                presence,
                doorbell,
                max_deliveries=self.max_deliveries,
                clock=self._clock,
                on_recovered=self._note_wake,
            )
            caretaker.start()
            on_failure.pop_all()
        return Desk(presence, doorbell, caretaker)

    def _note_wake(self) -> None:
        self._wakes = True

    def _ring(self) -> None:
        """Just after each commit: if it made something ready, tell whoever waits.

        Who is going to wait says so, and then looks once more. Either that look comes after the commit, and
        finds the message, or it came before, and we see here that somebody waits.
        """
        if not self._wakes:
            return
        self._wakes = False
        desk = self._desk
        self._street.ring_who_waits(desk.presence.owner if desk else None)
        if desk is not None:
            desk.doorbell.ring()


class _AckBatch(Write[None]):
    """Writes what waits when its turn comes. What it took it keeps, so that it can be tried again."""

    def __init__(self, acks: Acks) -> None:
        super().__init__(durable=False, lazy=True)
        self._acks = acks
        self._deliveries: list[Delivery] = []

    def apply(self, connection: Connection) -> None:
        self._deliveries += self._acks.take()
        for (queue, token), keys in by_claim(self._deliveries).items():
            connection.execute(statements.ACK_ALL, (json.dumps(keys), token))
            # A stale token deleted nothing, and does not count.
            connection.execute(statements.COUNT_DONE, (queue, connection.changes()))


def _body(key: int, connection: Connection) -> bytes | None:
    row: Any = connection.execute(statements.BODY, (key,)).fetchone()
    return None if row is None else row[0]


def _run(connection: Connection, statement: str, bindings: tuple[Any, ...]) -> None:
    connection.execute(statement, bindings)
