"""The queue engine on Redis."""

from __future__ import annotations

import itertools
import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from ..ack_buffer import AckBuffer, by_claim
from ..backend import BOUNDLESS, Capabilities, Room
from ..errors import EngineError, MessageTooLarge
from ..forks import abandon_in_children
from ..records import Delivery, QueueMessage, Reason
from . import scripts
from .commands import Command, StoreMessage
from .consumer_session import ConsumerSession, PollState
from .database import Database, base_of
from .heartbeat import DIED
from .host_processes import this_host
from .operators import OperatorSide
from .options import RedisOptions
from .scripts import Argument, encoded, name_of
from .shards import agree

logger = logging.getLogger(__name__)

#: What is said when the server does not keep any more what it kept a moment ago.
EMPTIED = (
    "Redis has lost all that Recado kept there: it was emptied (FLUSHALL, FLUSHDB), or started without its "
    "file. Messages that waited are gone, and conversations that were kept there. What comes in now is kept."
)

#: How often to look for messages without being called, in seconds, should a call have been lost.
SLOW_POLL_S = 5.0

#: What dead letters say that are not whole. Only a server that may evict keys loses any of a message.
LOST_RECORD = (
    "Redis has lost the record of this message, or a part of it: when it came, and how often it was tried. "
    "Set maxmemory-policy to noeviction, and see that nothing else changes these keys. Then replay it."
)
LOST_PAYLOAD = (
    "Redis has lost the payload of this message: what it said is gone. Set maxmemory-policy to noeviction, "
    "and see that nothing else changes these keys."
)

#: The first of one shard.
ALONE = (0, 1)

#: How many messages one claim takes at most: what a script may do without holding up the server for long.
CLAIM_LIMIT = 500


class RedisBackend(OperatorSide):
    """A `QueueBackend` on a Redis or Valkey server.

    Parameters:
      server: the server, or its URL alone.
      namespace: everything of this queue is kept under this name.
      max_deliveries: how many workers may die under a message before it becomes a dead letter.
      max_message_bytes: the largest payload to accept.
      heartbeat_timeout_s: after how many seconds of silence a process is dead.
      clock: milliseconds since the epoch, where that is not the server's time.
      shard: which of several backends this is that share the messages, and how many they are. What it hands
        out has a token that tells: divided by their number, it leaves this one.
    """

    capabilities = Capabilities(is_remote=True, lookup_page=250)

    def __init__(
        self,
        server: RedisOptions | str,
        *,
        namespace: str = "recado",
        max_deliveries: int = 5,
        max_message_bytes: int = 1024 * 1024,
        heartbeat_timeout_s: float = 15.0,
        clock: Callable[[], int] | None = None,
        shard: tuple[int, int] = ALONE,
    ) -> None:
        self._shard = shard
        self._rung, self._has_own_bell = threading.Condition(), True
        self._database = Database(server, base=base_of(namespace))
        self.max_deliveries = max_deliveries
        self._max_message_bytes = max_message_bytes
        self._heartbeat_timeout_s = heartbeat_timeout_s
        self._clock = clock
        self._not_left: list[ConsumerSession] = []  # the server was away when they were closed
        self._kept_since: str | None = None
        self._start_anew()
        abandon_in_children(self)

    def _start_anew(self) -> None:
        self._arriving = threading.Lock()
        self._current_session: ConsumerSession | None = None
        number, of = self._shard
        self._tokens = itertools.count(secrets.randbits(62) // of * of + number, of)
        self._acks = AckBuffer(self._start_ack_batch)

    # -- in -----------------------------------------------------------------------------------------

    def enqueue(self, message: QueueMessage) -> bool:
        MessageTooLarge.refuse(message.payload, queue=message.queue, limit=self._max_message_bytes)
        return self._database.store(StoreMessage(message, self._now()))

    async def enqueue_async(self, message: QueueMessage) -> bool:
        MessageTooLarge.refuse(message.payload, queue=message.queue, limit=self._max_message_bytes)
        return await self._database.store_async(StoreMessage(message, self._now()))

    def holder_of(self, unique_key: str) -> str | None:
        return self._database.ask(Command(scripts.HOLDER_OF, (self._now(), unique_key), read=_text))

    # -- out ----------------------------------------------------------------------------------------

    def dequeue(self, queue: str, *, limit: int, timeout_s: float, room: Room = BOUNDLESS) -> list[Delivery]:
        session = self._session()
        deadline = time.monotonic() + timeout_s
        while True:
            heard = session.wakeups.heard(queue)
            # A caller that does not wait asks the server all the same: a wake-up may just be on its way.
            deliveries = self.look(queue, limit=limit, room=room, insist=timeout_s <= 0)
            if deliveries or deliveries is None:
                return deliveries or []
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                return []  # a ring that comes from here on is heard by the next call
            session.wakeups.wait(queue, heard, min(remaining_s, self.idle_s(queue)))

    def share_bell(self, rung: threading.Condition) -> None:
        """Have a condition told of each wake-up, which others tell, too. In a fork the caller renews it."""
        self._rung, self._has_own_bell = rung, False

    def heard(self, queue: str) -> int:
        """Return how often this process was woken so far for a queue: never, before it first looked."""
        session = self._current_session
        return 0 if session is None else session.wakeups.heard(queue)

    def look(self, queue: str, *, limit: int, room: Room, insist: bool) -> list[Delivery] | None:
        """Claim up to `limit` messages, and wait for none. None: there is no room.

        Parameters:
          insist: ask the server also where nothing has come since it had none.
        """
        session = self._session()
        poll_state, heard = session.poll_state(queue), session.wakeups.heard(queue)
        if not insist and poll_state.is_empty(heard, self._now_s()):
            return []
        count = room.take(min(limit, CLAIM_LIMIT))
        if not count:
            return None
        deliveries: list[Delivery] = []
        try:
            deliveries = self._claim(session, poll_state, queue, count, heard)
        finally:
            room.give_back(count - len(deliveries))
        return deliveries

    def idle_s(self, queue: str) -> float:
        """Return in how many seconds a queue is worth another look, should no wake-up come."""
        session = self._current_session
        return 0.0 if session is None else max(0.0, session.poll_state(queue).look_at_s - self._now_s())

    def _claim(
        self, session: ConsumerSession, poll_state: PollState, queue: str, limit: int, heard: int
    ) -> list[Delivery]:
        token = next(self._tokens)
        claim = (self._now(), queue, session.owner, token, limit, session.host, session.pid)
        try:
            answer = self._database.ask(Command(scripts.CLAIM, claim, read=list))
        except EngineError:
            # Perhaps it was carried out, and only the answer was lost.
            unclaim = (self._now(), session.owner, queue, token)
            self._database.submit(Command(scripts.UNCLAIM, unclaim, read=_nothing, lazy=True))
            raise
        next_due_in_ms, claimed_at, *fields = answer
        if not fields:
            due_in_s = SLOW_POLL_S if next_due_in_ms < 0 else next_due_in_ms / 1000
            poll_state.found_nothing(heard, self._now_s() + min(due_in_s, SLOW_POLL_S))
            return []
        poll_state.found_something()
        records = zip(*[iter(fields)] * 6, strict=True)
        clocks = (int(claimed_at), time.monotonic())
        return [*filter(None, (self._delivery(session, queue, token, record, clocks) for record in records))]

    def _delivery(
        self,
        session: ConsumerSession,
        queue: str,
        token: int,
        record: Sequence[Any],
        clocks: tuple[int, float],
    ) -> Delivery | None:
        """A message of a claim; None when it is not whole, and a dead letter by now."""
        message_id, payload, *numbers = record
        name = name_of(message_id)
        try:
            deliveries, crashes, enqueued_at, due_at = map(int, numbers)
        except (TypeError, ValueError):
            self._set_aside(session, queue, token, message_id, LOST_RECORD)
            return None
        if payload is None:
            self._set_aside(session, queue, token, message_id, LOST_PAYLOAD)
            return None
        times = (enqueued_at, due_at, crashes, *clocks)
        return Delivery(message_id, token, queue, name, payload, deliveries, *times)

    def _set_aside(
        self, session: ConsumerSession, queue: str, token: int, message_id: bytes, why: str
    ) -> None:
        logger.error("Message %r is a dead letter: %s", message_id, why)  # it may be no text
        reason: Reason = "undecodable"
        arguments = (self._now(), session.owner, queue, token, message_id, reason, why)
        # Should it fail, the message stays held until this process ends, and is then found like this again.
        self._database.submit(Command(scripts.NACK, arguments, read=_nothing, lazy=True))

    def started(self, delivery: Delivery) -> None:
        self._session().started.set(delivery.lease)

    def ack(self, delivery: Delivery) -> None:
        self._acks.add(delivery)
        self._session().started.clear(delivery.lease)

    def _start_ack_batch(self) -> None:
        self._database.submit(_AckBatch(self._acks, self._session().owner))

    def nack(self, delivery: Delivery, *, reason: Reason, error: str | None) -> None:
        arguments = (self._now(), *self._lease(delivery), reason, error or "")
        self._settle(delivery, Command(scripts.NACK, arguments, read=_nothing))

    def retry(
        self, delivery: Delivery, *, queue: str, payload: bytes, delay_ms: int, error: str | None
    ) -> None:
        self.refuse_too_large(payload, queue)
        arguments = (self._now(), *self._lease(delivery), queue, payload, delay_ms, error or "")
        self._settle(delivery, Command(scripts.RETRY, arguments, read=_nothing))

    def refuse_too_large(self, payload: bytes, queue: str) -> None:
        """Raise `MessageTooLarge` if a payload is over the limit."""
        MessageTooLarge.refuse(payload, queue=queue, limit=self._max_message_bytes)

    def release(self, deliveries: Sequence[Delivery], *, delay_ms: int = 0) -> None:
        arguments: list[Argument] = [self._now(), self._session().owner, delay_ms]
        for delivery in deliveries:
            arguments += (delivery.queue, delivery.token, delivery.receipt)
        self._database.ask(Command(scripts.RELEASE, arguments, read=_nothing))
        for delivery in deliveries:
            self._session().started.clear(delivery.lease)

    def _settle(self, delivery: Delivery, command: Command[None]) -> None:
        self._database.ask(command)
        self._session().started.clear(delivery.lease)

    def _lease(self, delivery: Delivery) -> tuple[Argument, ...]:
        return (self._session().owner, delivery.queue, delivery.token, delivery.receipt)

    def now_ms(self) -> int:
        return self._database.ask(Command(scripts.NOW, (self._now(),), read=int))

    def sync(self) -> None:
        self._database.ask_in_order(Command(scripts.NOTHING, read=_nothing))

    # -- the rest -----------------------------------------------------------------------------------

    def report_death(self, pid: int) -> None:
        arguments = (this_host(), pid, self.max_deliveries, DIED)
        self._database.ask(Command(scripts.REPORT_DEATH, arguments, read=_nothing))

    @staticmethod
    def agree(shards: Sequence[RedisBackend], *, is_sure: bool) -> None:
        """See that all processes spread messages over these shards; see `shards.agree`."""
        agree([shard._database for shard in shards], is_sure=is_sure)

    def check(self, *, timeout_s: float) -> None:
        if self._shard == ALONE:
            agree([self._database])
        kept_since = self._database.check(Command(scripts.CHECK, read=_text), timeout_s=timeout_s)
        before, self._kept_since = self._kept_since, kept_since
        if before not in {None, kept_since}:  # told once: what comes in from now on is kept
            logger.error("Redis has lost all that Recado kept there. What comes in from now on is kept")
            raise EngineError(EMPTIED)

    def close(self) -> None:
        with self._arriving:
            session, self._current_session = self._current_session, None
        self._database.close()  # first, because it writes what is still to be written: acks
        if session is not None:
            session.stop()
            try:
                session.leave()
            except EngineError as error:
                logger.warning(
                    "Could not give back what is held. That is done when this process ends: %s", error
                )
                self._not_left.append(session)
            self._database.server.close()
        self._start_anew()

    def abandon(self) -> None:
        """In a forked child: it is another process, with a name of its own when it consumes."""
        self._not_left = []
        if self._has_own_bell:
            self._rung = threading.Condition()
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
                if self._shard == ALONE:
                    agree([self._database])
                while self._not_left:  # while this process lives, no other gives back what it held
                    self._not_left[-1].leave()
                    self._not_left.pop()
                self._current_session = ConsumerSession(
                    self._database.server,
                    self._database.base,
                    timeout_s=self._heartbeat_timeout_s,
                    max_deliveries=self.max_deliveries,
                    rung=self._rung,
                )
            return self._current_session


class _AckBatch(Command[None]):
    """Acknowledges what waits when its turn comes. What it took it keeps, so that it can be tried again."""

    def __init__(self, acks: AckBuffer, owner: str) -> None:
        super().__init__(scripts.ACK, read=_nothing, lazy=True)
        self._acks = acks
        self._owner = owner
        self._deliveries: list[Delivery] = []

    def arguments(self) -> Sequence[Argument]:
        self._deliveries += self._acks.take()
        arguments: list[Argument] = [self._owner]
        for (queue, token), keys in by_claim(self._deliveries).items():
            arguments += (queue, token, len(keys), *keys)
        return [encoded(argument) for argument in arguments]


def _nothing(_: Any) -> None:
    return None


def _text(answer: bytes | None) -> str | None:
    return None if answer is None else name_of(answer)
