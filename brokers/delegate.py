"""A backend that hands every call on to another one: the base of backends that change a few of them."""

from __future__ import annotations

from collections.abc import Sequence

from .backend import BOUNDLESS, Capabilities, QueueBackend, Room
from .records import DeadLetterFilter, Delivery, QueueMessage, QueueStats, Reason, State, StoredMessage


class Delegate:
    """A `QueueBackend` that is another one.

    Parameters:
      engine: the other one.
    """

    def __init__(self, engine: QueueBackend) -> None:
        self._engine = engine

    @property
    def capabilities(self) -> Capabilities:
        return self._engine.capabilities

    # -- for workers --------------------------------------------------------------------------------

    @property
    def max_deliveries(self) -> int:
        return self._engine.max_deliveries

    def enqueue(self, message: QueueMessage) -> bool:
        return self._engine.enqueue(message)

    async def enqueue_async(self, message: QueueMessage) -> bool:
        return await self._engine.enqueue_async(message)

    def holder_of(self, unique_key: str) -> str | None:
        return self._engine.holder_of(unique_key)

    def dequeue(self, queue: str, *, limit: int, timeout_s: float, room: Room = BOUNDLESS) -> list[Delivery]:
        return self._engine.dequeue(queue, limit=limit, timeout_s=timeout_s, room=room)

    def started(self, delivery: Delivery) -> None:
        self._engine.started(delivery)

    def ack(self, delivery: Delivery) -> None:
        self._engine.ack(delivery)

    def nack(self, delivery: Delivery, *, reason: Reason, error: str | None) -> None:
        self._engine.nack(delivery, reason=reason, error=error)

    def retry(
        self, delivery: Delivery, *, queue: str, payload: bytes, delay_ms: int, error: str | None
    ) -> None:
        self._engine.retry(delivery, queue=queue, payload=payload, delay_ms=delay_ms, error=error)

    def release(self, deliveries: Sequence[Delivery], *, delay_ms: int = 0) -> None:
        self._engine.release(deliveries, delay_ms=delay_ms)

    def now_ms(self) -> int:
        return self._engine.now_ms()

    def sync(self) -> None:
        self._engine.sync()

    def report_death(self, pid: int) -> None:
        self._engine.report_death(pid)

    def check(self, *, timeout_s: float) -> None:
        self._engine.check(timeout_s=timeout_s)

    def close(self) -> None:
        self._engine.close()

    # -- for movers ---------------------------------------------------------------------------------

    def adopt(self, messages: Sequence[StoredMessage]) -> int:
        return self._engine.adopt(messages)

    def remove(self, messages: Sequence[StoredMessage]) -> None:
        self._engine.remove(messages)

    # -- for operators ------------------------------------------------------------------------------

    def stats(self) -> Sequence[QueueStats]:
        return self._engine.stats()

    def get(self, message_id: str) -> StoredMessage | None:
        return self._engine.get(message_id)

    def dead_letters(
        self, which: DeadLetterFilter, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredMessage]:
        return self._engine.dead_letters(which, limit=limit, offset=offset)

    def count_dead_letters(self, which: DeadLetterFilter) -> int:
        return self._engine.count_dead_letters(which)

    def replay(self, message_id: str, *, payload: bytes | None = None) -> bool:
        return self._engine.replay(message_id, payload=payload)

    def discard(self, which: DeadLetterFilter) -> int:
        return self._engine.discard(which)

    def pause(self, queue: str) -> None:
        self._engine.pause(queue)

    def resume(self, queue: str) -> None:
        self._engine.resume(queue)

    def flush(self, queue: str) -> None:
        self._engine.flush(queue)

    def list(self, queue: str, state: State, *, limit: int = 50, offset: int = 0) -> Sequence[StoredMessage]:
        return self._engine.list(queue, state, limit=limit, offset=offset)
