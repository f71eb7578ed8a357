"""The records that pass through an engine: a message on its way in, in hand, at rest; a queue, counted.

All times are milliseconds since the epoch, of the engine's clock.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from .clock import now_ms

State = Literal["ready", "delayed", "running", "dead"]

#: Why a message was set aside. `failed` is an exception that was not worth another retry;
#: `max_deliveries` a message whose worker died under it again and again.
Reason = Literal[
    "failed", "rejected", "expired", "undecodable", "unknown_actor", "undeliverable", "max_deliveries"
]


#: An engine's own name for a delivery's message: a row's number, the message's id, a receipt handle of SQS's.
Receipt = int | str | bytes

#: What a message is held by: its receipt, and the token that it was claimed under.
Lease = tuple[Receipt, int]


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

    receipt: Receipt
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
        """Identifies this delivery. After a lease expires, one process can hold an old and a new delivery of
        the same message, so the message's id is not enough."""
        return self.receipt, self.token


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

    def matches(self, letter: StoredMessage) -> bool:
        """Whether a dead letter is meant. Its id is not looked at: the caller asked for it by that."""
        wanted = ((self.queue, letter.queue), (self.actor, letter.actor), (self.reason, letter.reason))
        died_at = letter.died_at or 0
        return (
            all(asked is None or asked == has for asked, has in wanted)
            and (self.died_since is None or died_at >= self.died_since)
            and (self.died_before is None or died_at < self.died_before)
            and (self.spellings is None or _has_text(letter, self.spellings))
        )


def _has_text(letter: StoredMessage, spellings: tuple[str, str]) -> bool:
    return spellings[0] in (letter.last_error or "") or any(
        spelling.encode() in letter.payload for spelling in spellings
    )


def earlier_of(one: int | None, other: int | None) -> int | None:
    """The earlier of two times, of which each may be missing."""
    return min((at for at in (one, other) if at is not None), default=None)
