"""What a queue engine promises: the verbs, and the records that pass through them.

An engine stores opaque payloads; it knows nothing of Dramatiq's messages. `DurableBroker` stands on
top of it and speaks Dramatiq. A message is in one of four states:

    ready     may be claimed now, by priority and then by the time it became due
    delayed   becomes ready at `due_at`
    running   claimed by a process, under a token
    dead      set aside for a person, with the reason

Done is gone. All times are milliseconds since the epoch, of the engine's clock.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

from .clock import now_ms

State = Literal["ready", "delayed", "running", "dead"]

#: Why a message was set aside. `failed` is an exception that was not worth another retry;
#: `max_deliveries` a message whose worker died under it again and again.
Reason = Literal[
    "failed", "rejected", "expired", "undecodable", "unknown_actor", "undeliverable", "max_deliveries"
]


#: An engine's own name for a message: a row's number, or the message's id itself.
Key = Any

#: What a message is held by: its key, and the token it was claimed under.
Lease = tuple[Key, int]


class QueueMessage(NamedTuple):
    """A message on its way in."""

    message_id: str
    queue: str
    actor: str
    payload: bytes
    priority: int = 0  # lower is claimed first, as in Dramatiq
    delay_ms: int = 0
    unique_key: str | None = None  # while this key is taken, no other message under it is stored
    unique_for_ms: int = 0  # how long the key stays taken, whatever becomes of the message
    waited_ms: int = 0  # how long ago it first came in, elsewhere: it counts as enqueued then


class Delivery(NamedTuple):
    """A message handed to this process, and the token that proves it still holds it."""

    key: Key
    token: int  # fencing token: what is done under a stale one changes nothing
    queue: str
    message_id: str
    payload: bytes
    deliveries: int  # how often it was handed out, this time included
    enqueued_at: int
    due_at: int
    crashes: int = 0  # how often its worker died while running it
    claimed_at: int | None = (
        None  # when it was handed out, by the engine's clock; None if that is this machine's
    )
    claimed_s: float = 0.0  # the same moment, or one soon after, by this process's monotonic clock

    @property
    def now_ms(self) -> int:
        """The time by the engine's clock. This machine's may differ from it, by days."""
        if self.claimed_at is None:
            return now_ms()
        return self.claimed_at + int((time.monotonic() - self.claimed_s) * 1000)

    @property
    def age_ms(self) -> int:
        """How long ago the message came in, in milliseconds, by the engine's clock."""
        return max(0, self.now_ms - self.enqueued_at)

    @property
    def lease(self) -> Lease:
        """Of all deliveries of this message, which one it is. Two may be in one process for a moment."""
        return self.key, self.token


class StoredMessage(NamedTuple):
    """A message at rest, as operators see it."""

    message_id: str
    queue: str
    actor: str
    state: State
    payload: bytes
    priority: int
    deliveries: int
    crashes: int  # how often its worker died while running it
    enqueued_at: int
    due_at: int
    last_error: str | None
    reason: str | None = None  # dead letters only
    died_at: int | None = None  # dead letters only


@dataclass(frozen=True, slots=True)
class QueueStats:
    """One queue, counted.

    Attributes:
      oldest_due_at: when the longest waiting message became due, be it ready or a delayed one that nobody has
        made ready; None when none waits, or when the engine cannot tell.
      waits_since: since when the message waits that has waited longest for its end: since it became due, or,
        if it was tried before, since it came in. The second kind may be delayed, or just be tried again. None
        as above.
      counted_at: the time when these were counted, by the engine's clock, which its other times are of; None
        when it does not tell.
      done: messages finished since the database was made; survives restarts. None: the engine does not count.
      died: how many became dead letters since then, by reason, whatever became of those.
    """

    queue: str
    ready: int
    delayed: int
    running: int
    dead: int
    done: int | None
    oldest_due_at: int | None
    paused: bool
    waits_since: int | None = None
    counted_at: int | None = None
    died: Mapping[str, int] = field(default_factory=dict)

    def seconds_since(self, at: int | None) -> float | None:
        """How long before the counting a time of the engine's was, in seconds; None for none.

        The clock of this machine may differ from the engine's, and is not asked when the engine told its own.
        """
        if at is None:
            return None
        return max(0, (now_ms() if self.counted_at is None else self.counted_at) - at) / 1000


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters are meant. What is left None does not narrow.

    Attributes:
      text: a part of the payload or of the last error, to the letter.
      died_since, died_before: when they died, in milliseconds since the epoch; the second excluded.
    """

    queue: str | None = None
    actor: str | None = None
    reason: str | None = None
    message_ids: Sequence[str] | None = None
    text: str | None = None
    died_since: int | None = None
    died_before: int | None = None

    @property
    def spellings(self) -> tuple[str, str] | None:
        """The text, and as a payload in JSON spells it."""
        return None if self.text is None else (self.text, json.dumps(self.text)[1:-1])


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


class QueueBackend(Protocol):
    """A durable queue. Every method is thread-safe, and raises `EngineError` when the engine is away.

    An engine that has no such thing raises `Unsupported`.
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

    def holder_of(self, unique_key: str) -> str | None:
        """The id of the message that has a unique key now."""
        ...

    async def enqueue_async(self, message: QueueMessage) -> bool:
        """`enqueue` for an event loop: it shares commits with all other writers and blocks nothing."""
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
        """The time by the engine's clock, in milliseconds since the epoch."""
        ...

    def sync(self) -> None:
        """Return when every earlier `ack` is written."""
        ...

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

    def adopt(self, messages: Sequence[StoredMessage]) -> int:
        """Store messages as another engine had them: their states, times and records. Running become ready.

        Returns how many were not there already, in the same way: live, or as a dead letter.
        """
        ...

    def remove(self, messages: Sequence[StoredMessage]) -> None:
        """Delete messages that are somewhere else now. One that is running, or in another state, stays."""
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


def earlier_of(one: int | None, other: int | None) -> int | None:
    """The earlier of two times, of which each may be missing."""
    return min((at for at in (one, other) if at is not None), default=None)
