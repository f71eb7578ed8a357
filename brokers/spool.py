"""Store and forward: what the engine cannot take now waits in a file until it can.

A webhook must not be refused because Redis is away. One that is not stored within two seconds in Redis is
stored in a SQLite file on this machine instead, and forwarded in order when Redis is back, also after a
restart.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Sequence
from typing import NamedTuple

from .backend import QueueBackend
from .clock import now_ms
from .delegate import Delegate
from .errors import EngineError, NotDurable
from .records import Delivery, QueueMessage, QueueStats

logger = logging.getLogger(__name__)

#: The one queue of the spool: what was stored first is forwarded first, whatever its own queue.
SPOOL = "spool"

#: How many messages are forwarded together.
BATCH = 200

#: How long after a failure the engine is tried again, in seconds.
RETRY_S = 0.5

#: How long an idle forwarder waits for work before it looks whether it should stop, in seconds.
IDLE_S = 1.0

#: A message may be in the engine already although no answer came. It is known there for so long, also when it
#: is done, so that what is forwarded later is not stored twice. In milliseconds.
KNOWN_FOR_MS = 3_600_000


#: What the unique key begins with by which it is known. The rest of it is its id.
SPOOLED = "spooled:"


class SpoolDepth(NamedTuple):
    """What waits to be forwarded.

    Attributes:
      messages: how many.
      oldest_age_s: how long the oldest of them has waited, in seconds.
    """

    messages: int
    oldest_age_s: float


class SpooledBackend(Delegate):
    """A `QueueBackend` that takes messages also while its engine is away.

    Everything but enqueueing goes to the engine, and counting while it is there.

    Parameters:
      primary: the engine.
      spool: where messages wait meanwhile; its queue `spool` is this object's alone.
      patience_s: how long one enqueue may take before it goes to the spool, in seconds. After that one,
        others do not wait.
    """

    def __init__(self, primary: QueueBackend, spool: QueueBackend, *, patience_s: float = 2.0) -> None:
        super().__init__(primary)
        self._spool = spool
        self._patience_s = patience_s
        self._trouble: str | None = None
        self._in_hand: list[Delivery] = []  # claimed from the spool and not settled; the forwarder's own
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="recado-forwarder", daemon=True)

    def start(self, *, timeout_s: float) -> None:
        """Forward what a former process left, and take messages from now on. A second time checks again.

        Raises:
          NotDurable: the engine can be reached, and must not be relied on.
          EngineError: the spool cannot be written.
        """
        self._spool.check(timeout_s=timeout_s)
        try:
            self._engine.check(timeout_s=self._patience_s)
        except NotDurable:
            raise
        except EngineError as error:
            self._give_up(str(error))
        if self.depth().messages:
            self._trouble = "messages of before wait to be forwarded"
        if self._thread.ident is None:
            self._thread.start()

    @property
    def trouble(self) -> str | None:
        """Why messages go to the spool, while they do."""
        return self._trouble

    @property
    def store(self) -> QueueBackend:
        """Where messages wait: whether it works has to be known before it is needed."""
        return self._spool

    def depth(self) -> SpoolDepth:
        """What waits to be forwarded."""
        for stats in self._spool.stats():
            if stats.queue == SPOOL:
                page = self._spool.list(SPOOL, "ready", limit=1) or self._spool.list(
                    SPOOL, "running", limit=1
                )
                oldest_age_ms = now_ms() - page[0].enqueued_at if page else 0
                return SpoolDepth(stats.ready + stats.delayed + stats.running, max(0, oldest_age_ms) / 1000)
        return SpoolDepth(0, 0.0)

    def enqueue(self, message: QueueMessage) -> bool:
        return asyncio.run(self.enqueue_async(message))

    async def enqueue_async(self, message: QueueMessage) -> bool:
        message = _known_for_a_while(message)
        if self._trouble is None:
            try:
                async with asyncio.timeout(self._patience_s):
                    return await self._engine.enqueue_async(message)
            except TimeoutError:
                self._give_up(f"no answer within {self._patience_s:g} s")
            except EngineError as error:
                self._give_up(str(error))
        # Also when the engine is back but not all is forwarded: no message overtakes one that came before.
        return await self._spool.enqueue_async(_packed(message))

    def stats(self) -> Sequence[QueueStats]:
        """Return the engine's. While it is away no caller waits to find that out.

        Raises:
          EngineError: it is away, or was a moment ago.
        """
        if self._trouble is not None:
            raise EngineError(self._trouble)
        return self._engine.stats()

    def check(self, *, timeout_s: float) -> None:
        """Prove that a message can be stored now, here or there."""
        if self._trouble is None:
            try:
                self._engine.check(timeout_s=timeout_s)
            except EngineError as error:
                self._give_up(str(error))
            else:
                return
        self._spool.check(timeout_s=timeout_s)

    def close(self) -> None:
        """Stop forwarding; what is left is forwarded by the next process."""
        self._stopping.set()
        if self._thread.ident is not None:
            self._thread.join()
        self._spool.close()
        self._engine.close()

    def _give_up(self, why: str) -> None:
        if self._trouble is None:
            logger.warning("Messages go to the spool until the queue is back: %s", why)
            self._trouble = why

    # -- forwarding, in a thread and an event loop of its own ---------------------------------------------

    def _run(self) -> None:
        asyncio.run(self._forward())

    async def _forward(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._forward_batch()
            except EngineError as error:
                if self._trouble is None:
                    self._give_up(str(error))
                await asyncio.sleep(RETRY_S)

    async def _forward_batch(self) -> None:
        if self._in_hand:  # the spool could not take them back the last time; what was acked stays so
            self._spool.release(self._in_hand)
            self._in_hand = []
        if self._trouble is not None:
            await asyncio.to_thread(self._engine.check, timeout_s=self._patience_s)
        self._in_hand = await asyncio.to_thread(
            self._spool.dequeue, SPOOL, limit=BATCH, timeout_s=self._idle_s()
        )
        if self._in_hand:
            await self._hand_over(self._in_hand)
            self._in_hand = []
        elif self._trouble is not None and not self.depth().messages:
            logger.warning("The queue is back, and everything spooled was forwarded")
            self._trouble = None

    def _idle_s(self) -> float:
        """While there is trouble an empty spool is good news, and not to be waited for."""
        return IDLE_S if self._trouble is None else 0.0

    async def _hand_over(self, deliveries: Sequence[Delivery]) -> None:
        """Forward a batch in order; what could not be forwarded goes back to where it was.

        Raises:
          EngineError: one of the two engines is away. What is still in hand is so on purpose.
        """
        outcomes = await asyncio.gather(*map(self._pass_on, deliveries), return_exceptions=True)
        away: list[Delivery] = []
        for delivery, outcome in zip(deliveries, outcomes, strict=True):
            if isinstance(outcome, EngineError):
                away.append(delivery)
            elif isinstance(outcome, Exception):  # no later try would do: a person has to look at it
                logger.error(
                    "A spooled message cannot be forwarded: it is a dead letter of the spool",
                    exc_info=outcome,
                )
                self._spool.nack(delivery, reason="undeliverable", error=repr(outcome))
            else:
                self._spool.ack(delivery)
        if away:
            self._spool.release(away)
        self._spool.sync()
        for outcome in outcomes:
            if isinstance(outcome, EngineError):
                raise outcome

    async def _pass_on(self, delivery: Delivery) -> None:
        await self._engine.enqueue_async(_unpacked(delivery.payload, waited_ms=delivery.age_ms))


def _known_for_a_while(message: QueueMessage) -> QueueMessage:
    if message.unique_key is not None:
        return message
    return message._replace(unique_key=SPOOLED + message.message_id, unique_for_ms=KNOWN_FOR_MS)


def _packed(message: QueueMessage) -> QueueMessage:
    """A message on its way through the spool: all that belongs to it, a newline, and its payload."""
    head = message._asdict() | {"payload": None, "delay_ms": None, "due_at": now_ms() + message.delay_ms}
    del head["waited_ms"]  # it is stored under an age of its own
    payload = json.dumps(head).encode() + b"\n" + message.payload
    return QueueMessage(message.message_id, SPOOL, message.actor, payload, waited_ms=message.waited_ms)


def _unpacked(packed: bytes, *, waited_ms: int) -> QueueMessage:
    head, _, payload = packed.partition(b"\n")
    fields = json.loads(head)
    delay_ms = max(0, fields.pop("due_at") - now_ms())
    return QueueMessage(**fields | {"payload": payload, "delay_ms": delay_ms, "waited_ms": waited_ms})
