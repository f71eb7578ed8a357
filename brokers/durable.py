"""A Dramatiq broker over any `QueueBackend`."""

from __future__ import annotations

import asyncio
import json
import time
from contextvars import ContextVar
from typing import Any

import dramatiq
from dramatiq import Actor, Broker, Message, Middleware
from dramatiq.common import current_millis
from dramatiq.errors import QueueJoinTimeout, QueueNotFound
from dramatiq.middleware import MiddlewareError

from .backend import QueueBackend, QueueMessage
from .consumer import DurableConsumer, DurableMessage
from .departure import Departure
from .forks import abandon_in_children
from .hooks import Hooks
from .interrupts import expose
from .isolation import PATIENCE_S, Isolation
from .middleware import stack
from .replays import as_new
from .window import Window

#: As Dramatiq's own encoder writes it.
_to_json = json.JSONEncoder(separators=(",", ":")).encode

#: The message that this thread, or this coroutine, is processing.
_in_hand: ContextVar[DurableMessage | None] = ContextVar("recado_message_in_hand", default=None)


def message_in_hand() -> DurableMessage | None:
    """The message that is being processed here; None outside of a worker."""
    return _in_hand.get()


class DurableBroker(Broker):
    """Dramatiq on a durable queue.

    What it does differently from Dramatiq's own brokers:

    * `enqueue` returns when the message is on disk.
    * Enqueueing the message that is being processed is a retry: one atomic update in place when the
      worker is done with it, never a second message beside the first.
    * A message whose processing could not enqueue what it had to (a callback, the next of a pipeline) is
      given back instead of acked, although Dramatiq itself only logs that failure.
    * A message sent with the option `unique_key` is stored once in `unique_for` milliseconds (an option too,
      of the message or its actor): enqueueing the key again returns the message that has it.
    * A message under which so many workers died that one more death would set it aside runs alone in its
      process. Should it wait for another message's result, another process has to run that one.
    * Delays live in the engine, so there are no delay queues and no delayed messages in memory.

    Parameters:
      backend: the engine.
      middleware: all middleware of this broker; None for `middleware.stack()`.
      patience_s: how long others wait for a message that runs alone, and it for them, in seconds: longer than
        any may run.
    """

    def __init__(
        self,
        backend: QueueBackend,
        *,
        middleware: list[Middleware] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        super().__init__(middleware=[])
        self._hooks = Hooks(self.middleware)
        for each in stack() if middleware is None else middleware:
            self.add_middleware(each)
        self.backend = backend
        self.queues: dict[str, Window | None] = {}
        self._patience_s = patience_s
        self._isolation = self._isolated()
        self._departure = Departure()
        self.actor_options |= {"unique_for"}
        abandon_in_children(self)

    def abandon(self) -> None:
        """In a forked child: what the parent holds is not held here."""
        self.queues = dict.fromkeys(self.queues)
        self._isolation = self._isolated()
        self._departure = Departure()

    def _isolated(self) -> Isolation:
        return Isolation(self.backend.max_deliveries, patience_s=self._patience_s)

    # -- declaring ----------------------------------------------------------------------------------

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue; a second time changes nothing."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = None
            self.emit_after("declare_queue", queue_name)

    # -- enqueueing ---------------------------------------------------------------------------------

    def enqueue(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """Store a message durably, or schedule the retry of the one in hand.

        Parameters:
          message: the message.
          delay: milliseconds before it may run.

        Raises:
          QueueNotFound: its queue was never declared.
          MessageTooLarge: it is over the engine's limit.
          BrokerConnectionError: it could not be stored.
        """
        answer = message
        in_hand = _message_in_hand(message)
        try:
            to_store, delay = self._before_storing(message, delay, in_hand)
            if to_store is not None:
                while not self.backend.enqueue(to_store):
                    if (in_the_way := self._in_the_way_of(message, to_store)) is not None:
                        answer = in_the_way
                        break
        except Exception as error:
            self._could_not_store(message, in_hand, error)
            raise
        self.emit_after("enqueue", message, delay)
        return answer

    async def enqueue_async(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """`enqueue` for an event loop: awaits the commit without blocking or changing threads."""
        answer = message
        in_hand = _message_in_hand(message)
        try:
            to_store, delay = self._before_storing(message, delay, in_hand)
            if to_store is not None:
                while not await self.backend.enqueue_async(to_store):
                    in_the_way = await asyncio.to_thread(self._in_the_way_of, message, to_store)
                    if in_the_way is not None:
                        answer = in_the_way
                        break
        except Exception as error:
            self._could_not_store(message, in_hand, error)
            raise
        self.emit_after("enqueue", message, delay)
        return answer

    def _in_the_way_of(self, message: Message[Any], to_store: QueueMessage) -> Message[Any] | None:
        """Why a message was not stored: the one that has its unique key, or itself when its id was there.

        None: nothing any more. The key's time is over since, and now the message can be stored.
        """
        if to_store.unique_key is None:
            return message
        holder = self.backend.holder_of(to_store.unique_key)
        if holder is None:
            return None if self.backend.get(to_store.message_id) is None else message
        if holder == message.message_id:
            return message
        existing = self.backend.get(holder)
        return message.copy(message_id=holder) if existing is None else Message.decode(existing.payload)

    def _before_storing(
        self, message: Any, delay: int | None, in_hand: DurableMessage | None
    ) -> tuple[QueueMessage | None, int | None]:
        """What to store, and its delay. There is nothing to store yet when the message is the one in hand."""
        eta = message.options.pop("eta", None)  # Dramatiq's way to carry a delay in the message itself
        if eta is not None and delay is None:
            delay = max(0, int(eta) - current_millis())
        if message.queue_name not in self.queues:
            raise QueueNotFound(message.queue_name)
        self.emit_before("enqueue", message, delay)
        if in_hand is not None and in_hand.message_id == message.message_id:
            in_hand.retry_later(message, delay or 0)
            return None, delay
        return self._to_store(message, delay), delay

    def _could_not_store(self, message: Any, in_hand: DurableMessage | None, error: Exception) -> None:
        if in_hand is not None:
            in_hand.failed_enqueue = error
        self.emit_after("enqueue_failure", message, error)  # a signal of our own

    def _to_store(self, message: Message[Any], delay: int | None) -> QueueMessage:
        actor = self.actors.get(message.actor_name)
        unique_key, unique_for_ms = _uniqueness(message, actor)
        return QueueMessage(
            message_id=message.message_id,
            queue=message.queue_name,
            actor=message.actor_name,
            payload=_encoded(message),
            priority=actor.priority if actor else 0,
            delay_ms=delay or 0,
            unique_key=unique_key,
            unique_for_ms=unique_for_ms,
        )

    # -- consuming ----------------------------------------------------------------------------------

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> DurableConsumer:
        """Make a consumer.

        Parameters:
          queue_name: a declared queue.
          prefetch: Dramatiq asks for two messages a thread. Unless `dramatiq_queue_prefetch` is set, one
            a thread is where the adaptive window starts.
          timeout: how long the consumer waits for a message, in milliseconds.

        Raises:
          QueueNotFound: the queue was never declared.
        """
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)
        window = self.queues[queue_name]
        if window is None:  # kept over reconnects: what is held does not change with the consumer
            explicit = dramatiq.worker.QUEUE_PREFETCH > 0
            window = Window(prefetch if explicit else prefetch // 2, adaptive=not explicit)
            self.queues[queue_name] = window
        return DurableConsumer(
            self.backend, queue_name, window, self._isolation, self._departure, timeout_s=timeout / 1000
        )

    def leave(self) -> None:
        """Stop a worker of this broker: from now on, what the engine cannot do is not tried again.

        `Worker.stop` does so too.
        """
        self._departure.begin()

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        if signal == "worker_boot":
            self._departure.cancel()
        elif signal == "worker_shutdown":
            self.leave()
        if signal == "process_message":
            message: DurableMessage = args[0]
            _in_hand.set(message)
            expose(True)
            self.backend.started(message.delivery)
        for hook in self._hooks.at("before_" + signal):
            try:
                hook(self, *args, **kwargs)
            except MiddlewareError:
                raise
            except Exception:  # as Dramatiq does it: one middleware's fault is not the message's
                self.logger.critical("Unexpected failure in before_%s of %r.", signal, hook, exc_info=True)

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        ends_processing = signal in {"process_message", "skip_message"}
        if ends_processing:
            # What the actor tried and failed to enqueue, and then handled, is its own affair. From here on
            # it is middleware that enqueues, and what that raises goes no further than the log.
            args[0].failed_enqueue = None
        for hook in reversed(self._hooks.at("after_" + signal)):
            try:
                hook(self, *args, **kwargs)
            except Exception:
                self.logger.critical("Unexpected failure in after_%s of %r.", signal, hook, exc_info=True)
        if ends_processing:
            args[0].processed = True
            _in_hand.set(None)
            expose(False)

    # -- the rest -----------------------------------------------------------------------------------

    def replay(self, message_id: str) -> bool:
        """Make a dead letter ready again, with a fresh record: no retries used, not aged.

        Returns False when there is no such dead letter.
        """
        stored = self.backend.get(message_id)
        if stored is None or stored.state != "dead":
            return False
        if stored.reason == "undecodable":
            return self.backend.replay(message_id)
        return self.backend.replay(message_id, payload=as_new(stored.payload))

    def flush(self, queue_name: str) -> None:
        """Delete every message of a queue, dead letters included."""
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)
        self.backend.flush(queue_name)

    def flush_all(self) -> None:
        """Delete every message of every declared queue."""
        for queue_name in self.get_declared_queues():
            self.flush(queue_name)

    def join(self, queue_name: str, *, interval: int = 50, timeout: int | None = None) -> None:
        """Wait until a queue holds nothing that is ready, delayed or running. For tests.

        Parameters:
          queue_name: a declared queue.
          interval: milliseconds between two looks.
          timeout: give up after so many milliseconds.

        Raises:
          QueueJoinTimeout: it did not empty in time.
        """
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)
        deadline = None if timeout is None else time.monotonic() + timeout / 1000
        while self._is_busy(queue_name):
            if deadline is not None and time.monotonic() >= deadline:
                raise QueueJoinTimeout(f"Queue {queue_name!r} did not empty within {timeout} ms")
            time.sleep(interval / 1000)

    def _is_busy(self, queue_name: str) -> bool:
        return any(
            stats.ready or stats.delayed or stats.running
            for stats in self.backend.stats()
            if stats.queue == queue_name
        )

    def close(self) -> None:
        """Write what is still to be written, and close the engine."""
        self.backend.close()


def _message_in_hand(message: Any) -> DurableMessage | None:
    """The message whose processing this enqueueing is part of, as long as it is not settled."""
    in_hand = message if isinstance(message, DurableMessage) else _in_hand.get()
    return None if in_hand is None or in_hand.settled else in_hand


def _encoded(message: Message[Any]) -> bytes:
    """What `message.encode()` returns, at two thirds of the cost where the encoder is Dramatiq's own.

    For each message that asks the class for its fields, and makes a new JSON encoder.
    """
    if type(message) is Message and type(dramatiq.get_encoder()) is dramatiq.JSONEncoder:
        return _to_json(vars(message)).encode()
    return message.encode()


def _uniqueness(message: Message[Any], actor: Actor[Any, Any] | None) -> tuple[str | None, int]:
    """The unique key, which is its actor's own, and how many milliseconds it stays taken."""
    key = message.options.get("unique_key")
    if key is None:
        return None, 0
    unique_for = message.options.get("unique_for") or (actor.options.get("unique_for") if actor else None)
    if not unique_for:
        raise ValueError("unique_key needs unique_for, in milliseconds: how long the key stays taken")
    return f"{message.actor_name}:{key}", int(unique_for)
