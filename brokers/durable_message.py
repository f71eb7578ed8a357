"""A message in hand, and what is to become of it once the worker went through it."""

from __future__ import annotations

import time
from typing import Any, Literal, NamedTuple

from dramatiq import Message, MessageProxy
from dramatiq.errors import ActorNotFound, BrokerConnectionError
from dramatiq.middleware import SkipMessage

from .backend import QueueBackend
from .prefetch_window import PrefetchWindow
from .records import Delivery, Reason


class DurableMessage(MessageProxy):
    """A message in hand, and what is to become of it.

    The lease lives here and not in the consumer: Dramatiq makes a new consumer after a connection error,
    and the messages in hand are settled through that one.

    Attributes:
      delivery: the lease.
      backend: the engine it came from.
      worn_out: so many workers died under it that it is not run again. It passes through the worker as a
        message that fails, so that all who wait for it are told, and then is a dead letter.
      processed: the worker went through all of it. Without this an ack would be a lie.
      settled: it is out of hand, and enqueueing it again is no retry.
      failed_enqueue: what kept middleware from enqueueing what this message leads to.
      undeliverable: why it cannot be done or retried, once all who wait for it were told that it failed.
      window: counts it among the messages that this process holds; None outside of a worker.
      began_s: when a worker thread began with it, in seconds of the monotonic clock, later by what it waited.
      age_limit_ms: how old it may be when it is run, in milliseconds; None for no limit. `AgeLimit` notes it.
    """

    def __init__(self, delivery: Delivery, message: Message[Any], backend: QueueBackend) -> None:
        super().__init__(message)
        # The proxy would look these up through __getattr__, some sixteen times for each message.
        self.queue_name = message.queue_name
        self.actor_name = message.actor_name
        self.message_id = message.message_id
        self.args = message.args
        self.kwargs = message.kwargs
        self.options = message.options
        self.delivery = delivery
        self.backend = backend
        self.worn_out = delivery.crashes >= backend.max_deliveries
        self.processed = False
        self.settled = False
        self.failed_enqueue: Exception | None = None
        self.undeliverable: str | None = None
        self.retry: tuple[Any, int] | None = None
        self.age_limit_ms: int | None = None
        self.began_s = delivery.claimed_s
        self._waiting_since_s: float | None = None
        self.window: PrefetchWindow | None = None

    @property
    def age_ms(self) -> int:
        """How long ago the message came in, or was replayed, in milliseconds, by the engine's clock.

        `message_timestamp` is of its sender's clock, which may differ from that by days, and is asked only of
        what was replayed: then it is of the engine's.
        """
        if self.options.get("replayed"):
            return max(0, self.delivery.now_ms - self._message.message_timestamp)
        return self.delivery.age_ms

    def begin_waiting(self) -> None:
        """Note that its actor waits for another party: from now on it takes no thread from others."""
        self._waiting_since_s = time.monotonic()

    def end_waiting(self) -> None:
        """Note that its actor goes on. Harmless when it did not wait."""
        if self._waiting_since_s is not None:
            self.began_s += time.monotonic() - self._waiting_since_s
            self._waiting_since_s = None

    @property
    def busy_s(self) -> float:
        """For how long it has taken a thread from others, in seconds: without the time that it waited."""
        until_s = self._waiting_since_s  # read once: its own thread may change it
        return (time.monotonic() if until_s is None else until_s) - self.began_s

    @property
    def exception(self) -> BaseException | None:
        """What the actor raised."""
        error: BaseException | None = self._exception
        return error

    @property
    def is_done(self) -> bool:
        """Whether it was processed, and nothing is left to do but to acknowledge it."""
        return (
            self.processed and self.failed_enqueue is None and self.retry is None and self._exception is None
        )

    def retry_later(self, message: Any, delay_ms: int) -> None:
        """Put `message`, which may be changed, in this one's place when the worker is done with it.

        What had the place before is the caller's to store. No pause outlives the message's age limit,
        whatever asked for the pause: another party, a backoff, an actor. The message is due at the latest
        when it expires, and is a dead letter then.
        """
        if self.age_limit_ms is not None:
            delay_ms = min(delay_ms, max(0, self.age_limit_ms - self.age_ms))
        self.retry = (message, delay_ms)


class Outcome(NamedTuple):
    """What becomes of a message: what the consumer does with it, and what metrics and spans call it.

    Attributes:
      kind: `done`; `retried` after a failure; `deferred`, put back by its actor; `returned`, because what
        follows from it could not be stored; `failed`, a dead letter.
      reason: why it is a dead letter.
    """

    kind: Literal["done", "retried", "deferred", "returned", "failed"]
    reason: Reason | None = None


def decide(message: DurableMessage) -> Outcome:  # noqa: PLR0911  one for each outcome
    """Decide what becomes of a message that the worker went through. This changes nothing."""
    if message.undeliverable is not None:
        return Outcome("failed", "undeliverable")
    if isinstance(message.failed_enqueue, BrokerConnectionError):
        return Outcome("returned")
    if message.worn_out:
        return Outcome("failed", "max_deliveries")
    if message.failed:
        return Outcome("failed", _reason(message.exception))
    if message.failed_enqueue is not None:
        return Outcome("failed", "undeliverable")
    if message.retry is not None:
        return Outcome("deferred" if message.exception is None else "retried")
    if message.exception is not None:  # the actor failed, and no Retries middleware decided what that means
        return Outcome("failed", "failed")
    return Outcome("done")


def _reason(error: BaseException | None) -> Reason:
    match error:
        case None:
            return "rejected"
        case ActorNotFound():
            return "unknown_actor"
        case SkipMessage():
            return "expired"
        case _:
            return "failed"
