"""What a queue engine promises, by who needs it: workers, operators, movers.

An engine stores opaque payloads; it knows nothing of Dramatiq's messages. `DurableBroker` stands on
top of it and speaks Dramatiq. A message is in one of four states:

    ready     may be claimed now, by priority and then by the time it became due
    delayed   becomes ready at `due_at`
    running   claimed by a process, under a token
    dead      set aside for a person, with the reason

A message that is done is deleted. docs/promises.md has the promises I1 to I9. An engine says in its
`Capabilities` what it cannot do; a method for that raises `Unsupported`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .records import DeadLetterFilter, Delivery, QueueMessage, QueueStats, Reason, State, StoredMessage


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do. The conformance suite branches on it, and so does whatever shows a queue.

    Attributes:
      looks_up: messages can be looked up, by id and by page, without being received.
      dead_letters: dead letters can be listed, counted, replayed and discarded.
      unique_ids: a message whose id is there already is not stored again.
      unique_keys: a message may have a unique key.
      pauses: a queue can be paused.
      moves: messages can be taken over from another engine, and handed to one.
      hands_out_once: a message is handed to one process at a time, and a stale token changes nothing.
      counts_crashes: what was only claimed when its process died does not count as a crash.
      asks_the_kernel: a process that is silent but lives keeps what it holds, as far as its machine can tell.
      priorities: order what is claimed, across processes.
      in_due_order: of equal priorities, what became due earlier is claimed first, wherever it waited until
        then; and priorities below 0 come before 0.
      wakes: a process that waits for a message is woken by one at once, however long it waits.
      exact: counts are exact, ages and what was done are known, delays are kept to the millisecond.
      costs: each request costs money, so that asking again and again is to be avoided.
      is_remote: it may be away while this machine is not.
      lookup_page: how many messages may be looked up together without holding up others.
    """

    looks_up: bool = True
    dead_letters: bool = True
    unique_ids: bool = True
    unique_keys: bool = True
    pauses: bool = True
    moves: bool = True
    hands_out_once: bool = True
    counts_crashes: bool = True
    asks_the_kernel: bool = True
    priorities: bool = True
    in_due_order: bool = True
    wakes: bool = True
    exact: bool = True
    costs: bool = False
    is_remote: bool = False
    lookup_page: int = 2_000

    @property
    def can_be_spooled(self) -> bool:
        """Whether messages can wait on this machine while the engine is away, and be forwarded once."""
        return self.is_remote and self.unique_keys


#: What an engine of Recado's own can do.
EVERYTHING = Capabilities()


class Room(Protocol):
    """How many messages a process may hold. Its queues share it: it is asked when messages are claimed."""

    def take(self, most: int) -> int:
        """Hold up to so many more messages, before they are claimed; return how many there is room for."""
        ...

    def give_back(self, count: int) -> None:
        """So many were taken, and not claimed after all."""
        ...


class Boundless:
    """Room for whatever is asked for."""

    def take(self, most: int) -> int:
        return most

    def give_back(self, count: int) -> None:
        pass


#: For callers that hold what they claim, and share it with no other queue.
BOUNDLESS: Room = Boundless()


class WorkerSide(Protocol):
    """What senders and workers need.

    Every method is thread-safe, and raises `EngineError` when the engine is away.
    """

    @property
    def max_deliveries(self) -> int:
        """How many workers may die under a message before it is set aside."""
        ...

    def enqueue(self, message: QueueMessage) -> bool:
        """Store a message; return when it would survive kill -9 and power loss.

        Returns False, and changes nothing, when a message of that id is already there, or one that has
        its unique key.

        Raises:
          MessageTooLarge: the payload is over the engine's limit.
        """
        ...

    async def enqueue_async(self, message: QueueMessage) -> bool:
        """`enqueue` for an event loop: it shares commits with all other writers and blocks nothing."""
        ...

    def holder_of(self, unique_key: str) -> str | None:
        """The id of the message that has a unique key now."""
        ...

    def dequeue(self, queue: str, *, limit: int, timeout_s: float, room: Room = BOUNDLESS) -> list[Delivery]:
        """Claim up to `limit` messages, waiting up to `timeout_s` seconds for the first.

        Parameters:
          room: asked before each attempt, which may come long after the call. What is returned is taken from
            it. Without room this method returns at once.
        """
        ...

    def started(self, delivery: Delivery) -> None:
        """Note that a worker thread runs this message now: if the process dies, this message is suspect."""
        ...

    def ack(self, delivery: Delivery) -> None:
        """The message is done. May be written a few milliseconds later; lost, it means a redelivery."""
        ...

    def nack(self, delivery: Delivery, *, reason: Reason, error: str | None) -> None:
        """Set the message aside as a dead letter."""
        ...

    def retry(
        self, delivery: Delivery, *, queue: str, payload: bytes, delay_ms: int, error: str | None
    ) -> None:
        """Put the message back in place, changed, due after `delay_ms`: one atomic update."""
        ...

    def release(self, deliveries: Sequence[Delivery], *, delay_ms: int = 0) -> None:
        """Give messages back as they were; this delivery does not count."""
        ...

    def now_ms(self) -> int:
        """Return the time by the engine's clock, in milliseconds since the epoch."""
        ...

    def sync(self) -> None:
        """Return when every earlier `ack` is written."""
        ...

    def report_death(self, pid: int) -> None:
        """Give back at once what a process of this machine held that is known to be dead.

        Only who waited for that process, its parent, can know. Without a report it is found out all the
        same, only later.
        """
        ...

    def check(self, *, timeout_s: float) -> None:
        """Prove that the engine can take a durable write now.

        Raises:
          EngineError: it could not within `timeout_s` seconds; the message says why.
        """
        ...

    def close(self) -> None:
        """Write what is still to be written, and let go of everything."""
        ...


class OperatorSide(Protocol):
    """What people and dashboards need."""

    def stats(self) -> Sequence[QueueStats]:
        """Every queue the engine knows, counted now."""
        ...

    def list(self, queue: str, state: State, *, limit: int = 50, offset: int = 0) -> Sequence[StoredMessage]:
        """A page of a queue's messages in one state, next to run (or newest dead) first."""
        ...

    def get(self, message_id: str) -> StoredMessage | None:
        """One message, wherever it is."""
        ...

    def dead_letters(
        self, which: DeadLetterFilter, *, limit: int = 50, offset: int = 0
    ) -> Sequence[StoredMessage]:
        """A page of dead letters, newest first."""
        ...

    def count_dead_letters(self, which: DeadLetterFilter) -> int:
        """How many there are."""
        ...

    def replay(self, message_id: str, *, payload: bytes | None = None) -> bool:
        """Make a dead letter ready again, with a clean record. False when there is no such dead letter."""
        ...

    def discard(self, which: DeadLetterFilter) -> int:
        """Delete dead letters for good. Returns how many."""
        ...

    def pause(self, queue: str) -> None:
        """Stop handing out a queue's messages, in every process, until `resume`."""
        ...

    def resume(self, queue: str) -> None:
        """Hand out a paused queue's messages again."""
        ...

    def flush(self, queue: str) -> None:
        """Delete every message of a queue, dead letters included."""
        ...


class MoverSide(Protocol):
    """What it takes to move messages from one engine to another."""

    def adopt(self, messages: Sequence[StoredMessage]) -> int:
        """Store messages as another engine had them: their states, times and records. Running become ready.

        Returns how many were not there already, in the same way: live, or as a dead letter.
        """
        ...

    def remove(self, messages: Sequence[StoredMessage]) -> None:
        """Delete messages that are somewhere else now. One that is running, or in another state, stays."""
        ...


class QueueBackend(WorkerSide, OperatorSide, MoverSide, Protocol):
    """A durable queue."""

    @property
    def capabilities(self) -> Capabilities:
        """What this engine can do."""
        ...
