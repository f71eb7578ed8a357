"""A queue engine on several Redis namespaces, each of which a cluster may have on another node."""

from __future__ import annotations

import asyncio
import heapq
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any, TypeVar

from ..backend import BOUNDLESS, Room
from ..errors import EngineError, NotDurable
from ..forks import abandon_in_children
from ..records import (
    DeadLetterFilter,
    Delivery,
    QueueMessage,
    QueueStats,
    Reason,
    State,
    StoredMessage,
    earlier_of,
)
from ..spool import SPOOLED
from .backend import RedisBackend
from .options import RedisOptions
from .shard import Shard
from .shards import first_answer, namespaces, shard_of

T = TypeVar("T")

#: How long another shard may take to prove that it takes writes, when one does not, in seconds.
CHECKED_WITHIN_S = 2.0

#: In which order messages of a state are listed.
ORDER: Mapping[State, Callable[[StoredMessage], Any]] = {
    "ready": lambda message: (message.priority, message.due_at),
    "delayed": lambda message: message.due_at,
    "running": lambda message: message.due_at,
    "dead": lambda message: -(message.died_at or 0),
}


def redis_backend(
    server: RedisOptions | str, *, namespace: str = "recado", shards: int = 1, **options: Any
) -> RedisBackend | ShardedBackend:
    """Make the backend of a namespace.

    Parameters:
      server, namespace, options: as of `RedisBackend`.
      shards: over how many namespaces the messages are spread.
    """
    if shards == 1:
        return RedisBackend(server, namespace=namespace, **options)
    return ShardedBackend(
        [
            RedisBackend(server, namespace=name, shard=(number, shards), **options)
            for number, name in enumerate(namespaces(namespace, shards))
        ]
    )


class ShardedBackend:
    """A `QueueBackend` whose messages are spread over several.

    A message is in the shard that its id says; one with a unique key in the one that the key says. Where a
    message is looked for by its id alone, that one is asked first, and then the others. Each shard has an
    order of its own, and there is none between them. While one of them is away the others go on.

    Parameters:
      shards: the backends, each of which knows which one it is.
    """

    def __init__(self, shards: Sequence[RedisBackend]) -> None:
        self._members = [Shard(number, backend) for number, backend in enumerate(shards)]
        self._has_agreed = False
        self._turns: Counter[str] = Counter()
        first = shards[0]
        self.capabilities = replace(first.capabilities, priorities=False, in_due_order=False)
        self.max_deliveries = first.max_deliveries
        self._rung = threading.Condition()
        self._listen_together()
        abandon_in_children(self)

    def abandon(self) -> None:
        """In a forked child: its shards abandon by themselves what they hold."""
        self._members = [Shard(number, shard.backend) for number, shard in enumerate(self._members)]
        self._rung = threading.Condition()
        self._listen_together()

    def _listen_together(self) -> None:
        for shard in self._members:
            shard.backend.share_bell(self._rung)

    @property
    def shards(self) -> Sequence[Shard]:
        """The shards, of which all processes have the same.

        Raises:
          NotDurable: they have not.
          EngineError: none of them answers.
        """
        if not self._has_agreed:
            self._agree()
        return self._members

    def _agree(self) -> None:
        RedisBackend.agree([shard.backend for shard in self._members], is_sure=self._has_agreed)
        self._has_agreed = True

    def _home(self, message_id: str) -> RedisBackend:
        return self.shards[shard_of(message_id, len(self.shards))].backend

    def _home_of(self, message: QueueMessage) -> RedisBackend:
        return self._home((message.unique_key or message.message_id).removeprefix(SPOOLED))

    def _holder(self, delivery: Delivery) -> Shard:
        return self.shards[delivery.token % len(self.shards)]

    def _first(self, message_id: str, ask: Callable[[RedisBackend], T | None]) -> T | None:
        """Ask the shards for something, the one first that the id says; return the first answer.

        Raises:
          EngineError: none of those has it that answer.
        """
        home = self._home(message_id)
        backends = [home, *(shard.backend for shard in self.shards if shard.backend is not home)]
        return first_answer([partial(ask, backend) for backend in backends])

    # -- in -----------------------------------------------------------------------------------------

    def enqueue(self, message: QueueMessage) -> bool:
        return self._home_of(message).enqueue(message)

    async def enqueue_async(self, message: QueueMessage) -> bool:
        if not self._has_agreed:
            await asyncio.to_thread(lambda: self.shards)
        return await self._home_of(message).enqueue_async(message)

    def holder_of(self, unique_key: str) -> str | None:
        return self._home(unique_key.removeprefix(SPOOLED)).holder_of(unique_key)

    # -- out ----------------------------------------------------------------------------------------

    def dequeue(self, queue: str, *, limit: int, timeout_s: float, room: Room = BOUNDLESS) -> list[Delivery]:
        deadline = time.monotonic() + timeout_s
        while True:
            heard = self._heard(queue)
            deliveries, has_room = self._look(queue, limit, room, insist=timeout_s <= 0)
            if deliveries or not has_room:
                return deliveries
            remaining_s = deadline - time.monotonic()
            if remaining_s <= 0:
                return []  # a ring that comes from here on is heard by the next call
            self._wait(queue, heard, remaining_s)

    def _look(self, queue: str, limit: int, room: Room, *, insist: bool) -> tuple[list[Delivery], bool]:
        """Claim from all shards, in turn, what there is; return whether there was room for it, too.

        What was claimed does not wait for a shard that is away, and may hang.

        Raises:
          EngineError: all of them are away.
        """
        deliveries: list[Delivery] = []
        errors: list[EngineError] = []
        self._turns[queue] += 1
        for offset in range(len(self.shards)):
            shard = self.shards[(self._turns[queue] + offset) % len(self.shards)]
            if len(deliveries) == limit or (deliveries and shard.is_away):
                continue
            try:
                found = shard.look(queue, limit=limit - len(deliveries), room=room, insist=insist)
            except EngineError as error:
                errors.append(error)
                continue
            if found is None:
                return deliveries, False
            deliveries += found
        if errors and not deliveries and all(shard.is_away for shard in self.shards):
            raise errors[0]
        return deliveries, True

    def _wait(self, queue: str, heard: int, timeout_s: float) -> None:
        idle_s = min(shard.wait_s(queue) for shard in self.shards)
        with self._rung:
            self._rung.wait_for(lambda: self._heard(queue) != heard, min(timeout_s, idle_s))

    def _heard(self, queue: str) -> int:
        return sum(shard.backend.heard(queue) for shard in self.shards)

    def started(self, delivery: Delivery) -> None:
        self._holder(delivery).backend.started(delivery)

    def ack(self, delivery: Delivery) -> None:
        self._holder(delivery).backend.ack(delivery)

    def nack(self, delivery: Delivery, *, reason: Reason, error: str | None) -> None:
        shard = self._holder(delivery)
        self._settle(shard, lambda: shard.backend.nack(delivery, reason=reason, error=error))

    def retry(
        self, delivery: Delivery, *, queue: str, payload: bytes, delay_ms: int, error: str | None
    ) -> None:
        shard = self._holder(delivery)
        shard.backend.refuse_too_large(payload, queue)  # now, and not when the shard is told later
        again = partial(shard.backend.retry, delivery, queue=queue, payload=payload)
        self._settle(shard, lambda: again(delay_ms=delay_ms, error=error))

    def release(self, deliveries: Sequence[Delivery], *, delay_ms: int = 0) -> None:
        for shard in self.shards:
            if held := [each for each in deliveries if self._holder(each) is shard]:
                self._settle(shard, partial(shard.backend.release, held, delay_ms=delay_ms))

    def _settle(self, shard: Shard, settle: Callable[[], None]) -> None:
        """Tell a shard what becomes of messages: later, where it is away and the others are not.

        A thread that waited for it would do nothing for them meanwhile.

        Raises:
          EngineError: all of them are away.
        """
        if shard.is_away:
            shard.tell_later(settle)
            return
        try:
            settle()
        except EngineError as error:
            if not any(_takes_writes(other) for other in self.shards if other is not shard):
                raise
            shard.leave(error)
            shard.tell_later(settle)

    def now_ms(self) -> int:
        return first_answer([shard.backend.now_ms for shard in self.shards]) or 0

    def sync(self) -> None:
        self._of_each(RedisBackend.sync)

    def report_death(self, pid: int) -> None:
        self._of_each(lambda shard: shard.report_death(pid))

    def check(self, *, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        self._agree()  # each time: a server that was emptied has to be told again
        self._of_each(lambda shard: shard.check(timeout_s=max(0.0, deadline - time.monotonic())))

    def close(self) -> None:
        for shard in self._members:
            with suppress(EngineError):  # what it is not told, it finds out when this process ends
                shard.tell()
            shard.backend.close()

    # -- for operators ------------------------------------------------------------------------------

    def stats(self) -> Sequence[QueueStats]:
        counted = [stats for each in self._of_each(RedisBackend.stats) for stats in each]
        by_queue: dict[str, QueueStats] = {}
        for stats in counted:
            before = by_queue.get(stats.queue)
            by_queue[stats.queue] = stats if before is None else _together(before, stats)
        return [by_queue[queue] for queue in sorted(by_queue)]

    def list(self, queue: str, state: State, *, limit: int = 50, offset: int = 0) -> Sequence[StoredMessage]:
        pages = self._of_each(lambda shard: shard.list(queue, state, limit=limit + offset))
        return _page(pages, ORDER[state], limit, offset)

    def get(self, message_id: str) -> StoredMessage | None:
        return self._first(message_id, lambda shard: shard.get(message_id))

    def dead_letters(
        self, which: DeadLetterFilter, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredMessage]:
        pages = self._of_each(lambda shard: shard.dead_letters(which, limit=limit + offset))
        return _page(pages, ORDER["dead"], limit, offset)

    def count_dead_letters(self, which: DeadLetterFilter) -> int:
        return sum(self._of_each(lambda shard: shard.count_dead_letters(which)))

    def replay(self, message_id: str, *, payload: bytes | None = None) -> bool:
        return bool(self._first(message_id, lambda shard: shard.replay(message_id, payload=payload) or None))

    def discard(self, which: DeadLetterFilter) -> int:
        return sum(self._of_each(lambda shard: shard.discard(which)))

    def pause(self, queue: str) -> None:
        self._of_each(lambda shard: shard.pause(queue))

    def resume(self, queue: str) -> None:
        self._of_each(lambda shard: shard.resume(queue))

    def flush(self, queue: str) -> None:
        self._of_each(lambda shard: shard.flush(queue))

    # -- for movers ---------------------------------------------------------------------------------

    def adopt(self, messages: Sequence[StoredMessage]) -> int:
        def of_one(shard: RedisBackend) -> int:
            own = [each for each in messages if self._home(each.message_id) is shard]
            return shard.adopt(own) if own else 0

        return sum(self._of_each(of_one))

    def remove(self, messages: Sequence[StoredMessage]) -> None:
        self._of_each(lambda shard: shard.remove(messages))

    def _of_each(self, do: Callable[[RedisBackend], T]) -> Sequence[T]:
        """Do something with every shard, also when it fails with one of them.

        Raises:
          NotDurable: one of them must not be relied on.
          EngineError: one of them is away.
        """
        results: list[T] = []
        errors: list[EngineError] = []
        for shard in self.shards:
            try:
                results.append(do(shard.backend))
            except EngineError as error:
                errors.append(error)
        if errors:
            raise next((error for error in errors if isinstance(error, NotDurable)), errors[0])
        return results


def _takes_writes(shard: Shard) -> bool:
    try:
        shard.backend.check(timeout_s=CHECKED_WITHIN_S)
    except EngineError:
        return False
    return True


def _page(
    pages: Sequence[Sequence[StoredMessage]], key: Callable[[StoredMessage], Any], limit: int, offset: int
) -> Sequence[StoredMessage]:
    return list(islice(heapq.merge(*pages, key=key), offset, offset + limit))


def _together(one: QueueStats, other: QueueStats) -> QueueStats:
    """Add up what two shards counted of one queue. The clocks of a cluster's nodes are taken for one."""
    return QueueStats(
        queue=one.queue,
        ready=one.ready + other.ready,
        delayed=one.delayed + other.delayed,
        running=one.running + other.running,
        dead=one.dead + other.dead,
        done=(one.done or 0) + (other.done or 0),
        oldest_due_at=earlier_of(one.oldest_due_at, other.oldest_due_at),
        counted_at=max(one.counted_at or 0, other.counted_at or 0),
        paused=one.paused or other.paused,
        waits_since=earlier_of(one.waits_since, other.waits_since),
        died=Counter(one.died) + Counter(other.died),
    )
