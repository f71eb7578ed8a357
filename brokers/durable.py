"""A Dramatiq broker over any `QueueBackend`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any

import dramatiq
from dramatiq import Broker, Message, MessageProxy, Middleware, Worker
from dramatiq.common import current_millis
from dramatiq.errors import BrokerConnectionError, DecodeError, QueueJoinTimeout, QueueNotFound
from dramatiq.middleware import MiddlewareError, Retries

from .backend import QueueBackend
from .capacity import Capacity
from .consumer import DurableConsumer
from .draining import release_prefetched
from .durable_message import DurableMessage
from .errors import WorkersDied
from .forks import abandon_in_children
from .interrupts import expose
from .message_in_hand import message_in_hand, take_in_hand
from .middleware import default_middleware
from .middleware.exhausted import tell_exhausted, tell_failure
from .middleware_hooks import Hooks, MiddlewareList
from .outgoing import EnqueuePlan, to_store, under_another_id, waited_ms, what_exists
from .poison_guard import PATIENCE_S, PoisonGuard
from .prefetch_window import PrefetchWindow
from .replays import reset_for_replay
from .shutdown import Shutdown


class DurableBroker(Broker):
    """Dramatiq on a durable queue.

    What it does differently from Dramatiq's own brokers:

    * `enqueue` returns when the message is on disk.
    * Enqueueing the message that is being processed is a retry: one atomic update in place when the
      worker is done with it, never a second message beside the first. So is enqueueing a copy that has its
      id. An id lives once in a queue, therefore one copy takes the place, and each further one is stored as
      a message with an id of its own, which `enqueue` returns. The message in hand itself goes before its
      copies. On another broker a copy is a message like any other.
    * A message whose processing could not enqueue what it had to (a callback, the next of a pipeline) is
      given back instead of acked, although Dramatiq itself only logs that failure.
    * A message sent with the option `unique_key` is stored once in `unique_for` milliseconds (an option too,
      of the message or its actor): enqueueing the key again returns the message that has it.
    * A message under which so many workers died that one more death would set it aside runs alone in its
      process. Should it wait for another message's result, another process has to run that one.
    * A message under which `max_deliveries` workers died is not run again. It fails, as a message does whose
      retries are used up, so that callbacks, `on_retry_exhausted` and results tell all who wait for it.
    * A worker that is told to stop claims nothing more, and gives back at once what it has not begun.
    * Delays live in the engine, so there are no delay queues and no delayed messages in memory.

    Parameters:
      backend: the engine, or a function that builds it when the broker is first used.
      middleware: all middleware of this broker; None for `middleware.default_middleware()`.
      patience_s: how long others wait for a message that runs alone, and it for them, in seconds: longer than
        any may run.
    """

    def __init__(
        self,
        backend: QueueBackend | Callable[[], QueueBackend],
        *,
        middleware: list[Middleware] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._hooks = Hooks()
        super().__init__(middleware=[])
        for each in default_middleware() if middleware is None else middleware:
            self.add_middleware(each)
        if callable(backend):
            self._build = backend
        else:
            self.backend = backend
        self.queues: dict[str, PrefetchWindow | None] = {}
        self._capacity = Capacity()
        self.capacities: dict[str, Capacity] = {}
        self.patience_s = patience_s
        self._shutdown = Shutdown()
        self.actor_options |= {"unique_for"}
        abandon_in_children(self)

    @property
    def middleware(self) -> MiddlewareList:
        """All middleware, in order. The list may be changed or assigned at any time."""
        return self._middleware

    @middleware.setter
    def middleware(self, middleware: Iterable[Middleware]) -> None:
        self._middleware = MiddlewareList(middleware)

    def abandon(self) -> None:
        """In a forked child: what the parent holds is not held here."""
        self.queues = dict.fromkeys(self.queues)
        self._capacity, self.capacities = Capacity(), {}
        self.__dict__.pop("_guard", None)
        self._shutdown = Shutdown()

    @cached_property
    def backend(self) -> QueueBackend:
        """The engine."""
        return self._build()

    @cached_property
    def _guard(self) -> PoisonGuard:
        return PoisonGuard(self.backend.max_deliveries, patience_s=self.patience_s)

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
        in_hand, backend = message_in_hand(message), self.backend  # built now, should this be its first use
        try:
            plan = self._plan(message, delay, in_hand)
            answer: Message[Any] = plan.message
            if plan.to_store is not None:
                while not backend.enqueue(plan.to_store):
                    if (existing := what_exists(plan.message, plan.to_store, backend)) is not None:
                        answer = existing
                        break
            plan.note_retry()
        except Exception as error:
            self._could_not_store(message, in_hand, error)
            raise
        self.emit_after("enqueue", plan.message, plan.delay)
        return answer

    async def enqueue_async(self, message: Message[Any], *, delay: int | None = None) -> Message[Any]:
        """`enqueue` for an event loop: awaits the commit without blocking or changing threads."""
        in_hand, backend = message_in_hand(message), self.backend  # built now, should this be its first use
        try:
            plan = self._plan(message, delay, in_hand)
            answer: Message[Any] = plan.message
            if plan.to_store is not None:
                while not await backend.enqueue_async(plan.to_store):
                    existing = await asyncio.to_thread(what_exists, plan.message, plan.to_store, backend)
                    if existing is not None:
                        answer = existing
                        break
            plan.note_retry()
        except Exception as error:
            self._could_not_store(message, in_hand, error)
            raise
        self.emit_after("enqueue", plan.message, plan.delay)
        return answer

    def _plan(self, message: Any, delay: int | None, in_hand: DurableMessage | None) -> EnqueuePlan:
        """Decide what enqueueing a message means, and tell middleware."""
        eta = message.options.pop("eta", None)  # Dramatiq's way to carry a delay in the message itself
        if eta is not None and delay is None:
            delay = max(0, int(eta) - current_millis())
        if message.queue_name not in self.queues:
            raise QueueNotFound(message.queue_name)
        beside = None  # what is stored under another id, because its own stays with the message in hand
        comes_back = None
        if (
            in_hand is not None
            and in_hand.backend is self.backend
            and in_hand.message_id == message.message_id
        ):
            if in_hand.retry is None:
                comes_back = in_hand
            elif message is in_hand:
                comes_back, beside = in_hand, in_hand.retry
            else:
                message = under_another_id(message)
        self.emit_before("enqueue", message, delay)
        if comes_back is None:
            age_ms = 0 if in_hand is None else waited_ms(message, in_hand)
            return EnqueuePlan(message, delay, to_store(message, delay, self.actors, waited_ms=age_ms))
        if beside is None:
            return EnqueuePlan(message, delay, None, comes_back)
        copy, copys_delay = beside
        record = to_store(under_another_id(copy), copys_delay, self.actors)
        return EnqueuePlan(message, delay, record, comes_back)

    def _store_what_asked_to_come_back(self, failed: DurableMessage) -> None:
        """Store the copy that was to take a message's place, now that the message is to be a dead letter."""
        if failed.retry is not None:
            try:
                copy, delay = failed.retry
                self.backend.enqueue(to_store(under_another_id(copy), delay, self.actors))
            except Exception as error:
                self.logger.exception("A copy of message %s cannot be stored", failed.message_id)
                failed.failed_enqueue = error
            else:
                failed.retry = None

    def _could_not_store(self, message: Any, in_hand: DurableMessage | None, error: Exception) -> None:
        if in_hand is not None:
            in_hand.failed_enqueue = error
        self.emit_after("enqueue_failure", message, error)  # a signal of our own

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
            if explicit:
                window = PrefetchWindow(prefetch, adaptive=False)
            else:
                window = PrefetchWindow(
                    prefetch // 2, capacity=self.capacities.get(queue_name, self._capacity)
                )
            self.queues[queue_name] = window
        return DurableConsumer(
            *(self.backend, queue_name, window, self._guard, self._shutdown),
            tell_failed=self._tell_failed,
            on_claim=lambda: self._hooks.forget_patched(self._middleware),
            timeout_s=timeout / 1000,
        )

    def leave(self) -> None:
        """Stop a worker of this broker: from now on, what the engine cannot do is not tried again.

        `Worker.stop` does so too.
        """
        self._shutdown.begin()

    def emit_before(self, signal: str, *args: Any, **kwargs: Any) -> None:
        begins_processing = signal == "process_message"
        if begins_processing:
            message: DurableMessage = args[0]
            take_in_hand(message)
            expose(True)
            message.began_s = time.monotonic()
            self.backend.started(message.delivery)
        elif signal == "worker_boot":
            self._shutdown.cancel()
        elif signal == "worker_shutdown":
            self.leave()
        for hook in self._hooks.at("before_" + signal, self._middleware):
            try:
                hook(self, *args, **kwargs)
            except MiddlewareError:
                raise
            except Exception:  # as Dramatiq does it: one middleware's fault is not the message's
                self.logger.critical("Unexpected failure in before_%s of %r.", signal, hook, exc_info=True)
        if begins_processing:
            if message.worn_out:
                crashes = message.delivery.crashes
                raise WorkersDied(f"{crashes} worker processes died while they ran this message")
        elif signal == "worker_shutdown" and isinstance(args[0], Worker):  # tests of middleware give none
            release_prefetched(args[0])

    def emit_after(self, signal: str, *args: Any, **kwargs: Any) -> None:
        ends_processing = signal in {"process_message", "skip_message"}
        hooks = self._hooks.at("after_" + signal, self._middleware)
        if ends_processing:
            if args[0].worn_out:  # the message is not to be run again
                hooks = [_give_up_at_once if _is_of_retries(hook) else hook for hook in hooks]
            # What the actor tried and failed to enqueue, and then handled, is its own affair. From here on
            # it is middleware that enqueues, and what that raises goes no further than the log.
            args[0].failed_enqueue = None
        for hook in reversed(hooks):
            try:
                hook(self, *args, **kwargs)
            except Exception:
                self.logger.critical("Unexpected failure in after_%s of %r.", signal, hook, exc_info=True)
        if ends_processing:
            self._end_processing(args[0])

    def _end_processing(self, message: DurableMessage) -> None:
        if message.worn_out:
            message.fail()
            message.retry = None  # whatever asked for it: another death would be the answer
        elif message.failed:
            self._store_what_asked_to_come_back(message)
        message.processed = True
        take_in_hand(None)
        expose(False)

    def _tell_failed(self, message: DurableMessage, error: Exception) -> None:
        """Have a message failed whose processing ended well, and tell all who wait for it.

        Raises:
          BrokerConnectionError: they could not be told yet.
        """
        message.fail()
        message.stuff_exception(error)
        for tell in (partial(tell_failure, self, message, error), partial(tell_exhausted, self, message)):
            try:
                tell()
            except BrokerConnectionError:
                message.failed = False  # told again at the next try
                raise
            except Exception:
                self.logger.exception("Could not tell of message %s, which failed", message.message_id)
        self.emit_after("nack", message)  # the worker, which settles it as done, does not

    # -- the rest -----------------------------------------------------------------------------------

    def replay(self, message_id: str) -> bool:
        """Make a dead letter ready again, with a fresh record: no retries used, not aged.

        Returns False when there is no such dead letter.
        """
        stored = self.backend.get(message_id)
        if stored is None or stored.state != "dead":
            return False
        try:
            payload = reset_for_replay(stored.payload, at_ms=self.backend.now_ms())
        except DecodeError:  # no message, or one that this process cannot read: it is replayed as it is
            payload = None
        return self.backend.replay(message_id, payload=payload)

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
        if "backend" in self.__dict__:
            self.backend.close()


def _is_of_retries(hook: Callable[..., Any]) -> bool:
    return isinstance(getattr(hook, "__self__", None), Retries)


def _give_up_at_once(
    broker: Broker,
    message: MessageProxy,
    *,
    result: Any = None,  # noqa: ARG001
    exception: BaseException | None = None,  # noqa: ARG001
) -> None:
    """Take the place of Retries for a message that is not to be run again."""
    tell_exhausted(broker, message)
