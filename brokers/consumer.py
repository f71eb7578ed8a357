"""What stands between the engine and Dramatiq's worker."""

from __future__ import annotations

import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from dramatiq import Consumer, Message, MessageProxy
from dramatiq.errors import ActorNotFound, BrokerConnectionError, DecodeError
from dramatiq.middleware import SkipMessage

from .backend import Delivery, QueueBackend, Reason
from .departure import Departure
from .isolation import Isolation
from .window import Window

logger = logging.getLogger(__name__)

#: How long a message rests whose processing could not enqueue what it had to, in milliseconds.
RELEASE_DELAY_MS = 1_000


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
      began_s: when a worker thread began with it, in seconds of the monotonic clock.
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

    @property
    def age_ms(self) -> int:
        """How long ago the message came in, or was replayed, in milliseconds, by the engine's clock.

        `message_timestamp` is of its sender's clock, which may differ from that by days, and is asked only of
        what was replayed: then it is of the engine's.
        """
        if self.options.get("replayed"):
            return max(0, self.delivery.now_ms - self._message.message_timestamp)
        return self.delivery.age_ms

    @property
    def is_done(self) -> bool:
        """Whether it was processed, and nothing is left to do but to acknowledge it."""
        return (
            self.processed and self.failed_enqueue is None and self.retry is None and self._exception is None
        )

    @property
    def outcome(self) -> str:
        """How this delivery ended, once the worker went through it: what metrics and spans call it."""
        if self.failed_enqueue is not None:
            return "returned"
        if self.failed:
            return "failed"
        if self.retry is not None:
            return "deferred" if self._exception is None else "retried"
        return "done"

    def retry_later(self, message: Any, delay_ms: int) -> None:
        """Put `message`, which may be changed, in this one's place when the worker is done with it.

        What had the place before is the caller's to store. No pause outlives the message's age limit,
        whatever asked for the pause: another party, a backoff, an actor. The message is due at the latest
        when it expires, and is a dead letter then.
        """
        if self.age_limit_ms is not None:
            delay_ms = min(delay_ms, max(0, self.age_limit_ms - self.age_ms))
        self.retry = (message, delay_ms)


class DurableConsumer(Consumer):
    """Iterates over one queue's messages, and settles them.

    Parameters:
      backend: the engine.
      queue_name: the queue.
      window: how many messages to hold.
      isolation: what else is handed out in this process.
      tell_failed: marks a message as failed, and tells all who wait for it, after its processing ended well.
      departure: whether this process stops.
      timeout_s: how long `next()` waits for each of what it needs: room, a message, its turn.
    """

    def __init__(
        self,
        backend: QueueBackend,
        queue_name: str,
        window: Window,
        isolation: Isolation,
        departure: Departure,
        *,
        tell_failed: Callable[[DurableMessage, Exception], None],
        timeout_s: float,
    ) -> None:
        self._backend = backend
        self._queue_name = queue_name
        self._window = window
        self._isolation = isolation
        self._tell_failed = tell_failed
        self._departure = departure
        self._timeout_s = timeout_s
        self._claimed: deque[Delivery] = deque()
        self._stopping = False

    def stop(self) -> None:
        """Hand out nothing more. What is claimed already, `close` gives back."""
        self._stopping = True

    def __next__(self) -> DurableMessage | None:
        if not self._claimed and not self._stopping:
            self._claim()
        while self._claimed and not self._stopping:
            delivery = self._claimed[0]  # not taken yet: should setting it aside fail, close() gives it back
            try:
                message = DurableMessage(delivery, Message.decode(delivery.payload), self._backend)
            except DecodeError as error:
                self._set_aside(delivery, "undecodable", _format(error))
                self._claimed.popleft()
                continue
            if not message.worn_out and not self._may_begin(delivery):
                return None
            self._claimed.popleft()
            return message
        return None

    def _may_begin(self, delivery: Delivery) -> bool:
        """Whether the first of those claimed can be handed out. What it would keep waiting others may run."""
        match self._isolation.enter(delivery):
            case "in":
                return True
            case "alone":
                self._give_back_all_but(1)
                return self._isolation.wait_for_others(delivery, timeout_s=self._timeout_s)
            case "refused":
                self._give_back_all_but(0)
                return False

    def _give_back_all_but(self, first: int) -> None:
        self._release(list(self._claimed)[first:])
        while len(self._claimed) > first:
            self._claimed.pop()

    def _claim(self) -> None:
        self._release_left_over()
        if not self._isolation.wait_until_open(self._timeout_s):
            return
        room = self._window.wait_for_room(self._timeout_s)
        if room:
            self._claimed.extend(
                self._backend.dequeue(
                    self._queue_name, limit=room, timeout_s=self._timeout_s, room=self._window
                )
            )

    def ack(self, message: DurableMessage) -> None:  # type: ignore[override]
        """Settle a message that did not fail: it is done, or to be retried, or has to come back.

        Raises:
          BrokerConnectionError: it could not be settled; Dramatiq tries again.
        """
        try:  # no context manager, which would cost each message a fifth of this
            if message.is_done:
                message.settled = True
                self._backend.ack(message.delivery)
                self._settled(message.delivery, took_s=time.monotonic() - message.began_s)
            else:
                self._settle(message)
        except BrokerConnectionError as error:
            self._departure.raise_or_give_up(error, f"settle message {message.message_id}")

    def _settle(self, message: DurableMessage) -> None:
        failure, error = message.failed_enqueue, message._exception
        message.settled = True
        if isinstance(failure, BrokerConnectionError) or not message.processed:
            # Not processed: a late interrupt hit the worker thread between the actor and here.
            self._release([message.delivery], delay_ms=RELEASE_DELAY_MS)
        elif failure is not None:
            self._fail_undeliverable(message, failure, _format(failure))
        elif message.retry is not None:
            self._retry(message, *message.retry)
        else:  # the actor failed, and no Retries middleware decided what that means
            self._set_aside(message.delivery, "failed", None if error is None else _format(error))

    def nack(self, message: DurableMessage) -> None:  # type: ignore[override]
        """Set a failed message aside as a dead letter.

        Raises:
          BrokerConnectionError: it could not be; Dramatiq tries again.
        """
        message.settled = True
        error = None if message._exception is None else _format(message._exception)
        with self._departure.giving_up(f"set message {message.message_id} aside"):
            if message.undeliverable is not None:
                self._set_aside(message.delivery, "undeliverable", message.undeliverable)
            elif isinstance(message.failed_enqueue, BrokerConnectionError):
                # It failed for good, but what should follow could not be stored: come back, and fail again.
                self._release([message.delivery], delay_ms=RELEASE_DELAY_MS)
            elif message.worn_out:  # the engine noted of what, and knows no better now
                self._set_aside(message.delivery, "max_deliveries", None)
            else:
                self._set_aside(message.delivery, _reason(message._exception), error)

    def requeue(self, messages: Iterable[DurableMessage]) -> None:  # type: ignore[override]
        """Give messages back that never started."""
        with self._departure.giving_up("give back messages that have not begun"):
            self._release([message.delivery for message in messages])

    def close(self) -> None:
        """Give back what was claimed and not yet handed out. If that fails, the next consumer does."""
        for delivery in self._claimed:
            self._isolation.leave(delivery)  # even if the release fails: nobody waits here any more
        self._window.to_release += self._claimed
        self._claimed.clear()
        with self._departure.giving_up("give back messages that it claimed"):
            self._release_left_over()

    def _release_left_over(self) -> None:
        left_over, self._window.to_release = self._window.to_release, []
        try:
            self._release(left_over)
        except BaseException:
            self._window.to_release += left_over  # whatever it was: they are still this process's
            raise

    def _release(self, deliveries: list[Delivery], *, delay_ms: int = 0) -> None:
        if (
            self._departure.has_failed
        ):  # not asked again; but should another worker start here, it gives them back
            self._window.to_release += deliveries
            for delivery in deliveries:
                self._isolation.leave(delivery)
        elif deliveries:
            self._backend.release(deliveries, delay_ms=delay_ms)
            for delivery in deliveries:
                self._settled(delivery, ran=False)

    def _retry(self, message: DurableMessage, changed: Any, delay_ms: int) -> None:
        error = None if message._exception is None else _format(message._exception)
        try:
            self._backend.retry(
                message.delivery,
                queue=changed.queue_name,
                payload=changed.encode(),
                delay_ms=delay_ms,
                error=error,
            )
        except BrokerConnectionError:
            raise  # Dramatiq tries again
        except Exception as reason:  # it cannot be encoded, or has grown too large: no later try would do
            logger.exception("A retry cannot be stored: message %s is a dead letter", message.message_id)
            self._fail_undeliverable(message, reason, f"{_format(reason)}\n{error or ''}")
        else:
            self._settled(message.delivery)

    def _fail_undeliverable(self, message: DurableMessage, failure: Exception, error: str) -> None:
        """Have a message failed whose processing ended well: tell all who wait for it, then set it aside."""
        self._tell_failed(message, failure)
        message.undeliverable = error  # should the engine be away now, nack goes on
        self._set_aside(message.delivery, "undeliverable", error)

    def _set_aside(self, delivery: Delivery, reason: Reason, error: str | None) -> None:
        self._backend.nack(delivery, reason=reason, error=error)
        self._settled(delivery)

    def _settled(self, delivery: Delivery, *, ran: bool = True, took_s: float | None = None) -> None:
        self._window.settled(ran=ran, took_s=took_s)
        self._isolation.leave(delivery)


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


def _format(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error, limit=-30))
    return text.encode(errors="backslashreplace").decode()  # lone surrogates cannot be stored as text
