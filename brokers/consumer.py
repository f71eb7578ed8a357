"""What stands between the engine and Dramatiq's worker."""

from __future__ import annotations

import logging
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from dramatiq import Consumer, Message
from dramatiq.errors import BrokerConnectionError, DecodeError

from .backend import QueueBackend
from .durable_message import DurableMessage, decide
from .poison_guard import PoisonGuard
from .prefetch_window import PrefetchWindow
from .records import Delivery, Reason
from .shutdown import Shutdown

logger = logging.getLogger(__name__)

#: How long a message rests whose processing could not enqueue what it had to, in milliseconds.
RELEASE_DELAY_MS = 1_000


class DurableConsumer(Consumer):
    """Iterates over one queue's messages, and settles them.

    Parameters:
      backend: the engine.
      queue_name: the queue.
      window: how many messages to hold.
      guard: what else is handed out in this process.
      tell_failed: marks a message as failed, and tells all who wait for it, after its processing ended well.
      shutdown: whether this process stops.
      on_claim: is called after each claim, before any of its messages is handed out.
      timeout_s: how long `next()` waits for each of what it needs: room, a message, its turn.
    """

    def __init__(
        self,
        backend: QueueBackend,
        queue_name: str,
        window: PrefetchWindow,
        guard: PoisonGuard,
        shutdown: Shutdown,
        *,
        tell_failed: Callable[[DurableMessage, Exception], None],
        on_claim: Callable[[], None],
        timeout_s: float,
    ) -> None:
        self._backend = backend
        self._queue_name = queue_name
        self._window = window
        self._guard = guard
        self._tell_failed = tell_failed
        self._on_claim = on_claim
        self._shutdown = shutdown
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
                message.window = self._window
            except DecodeError as error:
                self._move_to_dead_letters(delivery, "undecodable", _format(error))
                self._claimed.popleft()
                continue
            if not message.worn_out and not self._may_begin(delivery):
                return None
            self._claimed.popleft()
            return message
        return None

    def _may_begin(self, delivery: Delivery) -> bool:
        """Whether the first of those claimed can be handed out. What it would keep waiting others may run."""
        match self._guard.admit(delivery):
            case "admitted":
                return True
            case "exclusive":
                self._give_back_all_but(1)
                return self._guard.wait_for_others(delivery, timeout_s=self._timeout_s)
            case "refused":
                self._give_back_all_but(0)
                return False

    def _give_back_all_but(self, first: int) -> None:
        self._release(list(self._claimed)[first:])
        while len(self._claimed) > first:
            self._claimed.pop()

    def _claim(self) -> None:
        self._release_left_over()
        if not self._guard.wait_until_open(self._timeout_s):
            return
        room = self._window.wait_for_room(self._timeout_s)
        if room:
            self._claimed.extend(
                self._backend.dequeue(
                    self._queue_name, limit=room, timeout_s=self._timeout_s, room=self._window
                )
            )
            self._on_claim()

    def ack(self, message: DurableMessage) -> None:  # type: ignore[override]
        """Settle a message that did not fail: it is done, or to be retried, or has to come back.

        Raises:
          BrokerConnectionError: it could not be settled; Dramatiq tries again.
        """
        try:  # no context manager, which would cost each message a fifth of this
            if message.is_done:  # what `decide` says too, at less cost
                message.settled = True
                self._backend.ack(message.delivery)
                self._settled(message.delivery, took_s=time.monotonic() - message.began_s)
            else:
                self._settle(message)
        except BrokerConnectionError as error:
            self._shutdown.raise_or_give_up(error, f"settle message {message.message_id}")

    def _settle(self, message: DurableMessage) -> None:
        message.settled = True
        outcome, failure, error = decide(message), message.failed_enqueue, message.exception
        if not message.processed or outcome.kind == "returned":
            # Not processed: a late interrupt hit the worker thread between the actor and here.
            self._release([message.delivery], delay_ms=RELEASE_DELAY_MS)
        elif message.retry is not None and outcome.kind in {"retried", "deferred"}:
            self._retry(message, *message.retry)
        elif outcome.reason == "undeliverable" and failure is not None:
            self._fail_undeliverable(message, failure, _format(failure))
        else:
            text = None if error is None else _format(error)
            self._move_to_dead_letters(message.delivery, outcome.reason or "failed", text)

    def nack(self, message: DurableMessage) -> None:  # type: ignore[override]
        """Make a failed message a dead letter.

        Raises:
          BrokerConnectionError: it could not be; Dramatiq tries again.
        """
        message.settled = True
        outcome = decide(message)
        error = None if message.exception is None else _format(message.exception)
        with self._shutdown.giving_up(f"set message {message.message_id} aside"):
            if outcome.kind == "returned":
                # It failed for good, but what should follow could not be stored: it comes back, and fails
                # again.
                self._release([message.delivery], delay_ms=RELEASE_DELAY_MS)
            elif outcome.reason == "undeliverable":
                self._move_to_dead_letters(message.delivery, "undeliverable", message.undeliverable or error)
            elif outcome.reason == "max_deliveries":  # the engine noted of what, and knows no better now
                self._move_to_dead_letters(message.delivery, "max_deliveries", None)
            else:
                self._move_to_dead_letters(message.delivery, outcome.reason or "failed", error)

    def requeue(self, messages: Iterable[DurableMessage]) -> None:  # type: ignore[override]
        """Give messages back that never started."""
        with self._shutdown.giving_up("give back messages that have not begun"):
            self._release([message.delivery for message in messages])

    def close(self) -> None:
        """Give back what was claimed and not yet handed out. If that fails, the next consumer does."""
        for delivery in self._claimed:
            self._guard.release(delivery)  # even if the release fails: no thread waits here any more
        self._window.to_release += self._claimed
        self._claimed.clear()
        with self._shutdown.giving_up("give back messages that it claimed"):
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
            self._shutdown.has_failed
        ):  # not asked again; but should another worker start here, it gives them back
            self._window.to_release += deliveries
            for delivery in deliveries:
                self._guard.release(delivery)
        elif deliveries:
            self._backend.release(deliveries, delay_ms=delay_ms)
            for delivery in deliveries:
                self._settled(delivery, ran=False)

    def _retry(self, message: DurableMessage, changed: Any, delay_ms: int) -> None:
        error = None if message.exception is None else _format(message.exception)
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
        self._move_to_dead_letters(message.delivery, "undeliverable", error)

    def _move_to_dead_letters(self, delivery: Delivery, reason: Reason, error: str | None) -> None:
        self._backend.nack(delivery, reason=reason, error=error)
        self._settled(delivery)

    def _settled(self, delivery: Delivery, *, ran: bool = True, took_s: float | None = None) -> None:
        self._window.settled(ran=ran, took_s=took_s)
        self._guard.release(delivery)


def _format(error: BaseException) -> str:
    text = "".join(traceback.format_exception(error, limit=-30))
    return text.encode(errors="backslashreplace").decode()  # lone surrogates cannot be stored as text
