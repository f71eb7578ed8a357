"""Threads that come and go: for queues whose messages mostly wait for another party, a model or an API.

Dramatiq's worker has a fixed number of threads, and a thread that waits for an answer over the network is
taken like one that computes. With 8 of them and a model of 5 s, a thousand customers wait for ten minutes.
Here a thread that waits does not count, and another runs in its place.

Such a queue has threads of its own, beside those of Dramatiq's worker. So its messages keep no other queue's
messages waiting.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import PriorityQueue, SimpleQueue
from typing import Any

from dramatiq import Broker, MessageProxy, Middleware, Worker
from dramatiq.worker import ConsumerThread, WorkerThread

from .capacity import Capacity
from .durable import DurableBroker
from .durable_message import DurableMessage
from .message_in_hand import current_message
from .prefetch_window import PrefetchWindow

logger = logging.getLogger(__name__)

#: A thread that had no message for so long ends, in seconds.
IDLE_S = 10.0


class ElasticThreads(Middleware):
    """Runs the messages of some queues in threads that are started when messages need them.

    Each of these queues has threads of its own. At most as many of them run as Dramatiq's worker has threads,
    not counting those that are `waiting`. With a broker that is not of this package it changes nothing.

    Parameters:
      most: the names of the queues, and for each what returns how many of its messages this process may have
        in hand, those included that wait. Further ones stay in the queue, for later or for another process.
        It is asked again and again, and may return less than before, or 0.
    """

    def __init__(self, most: Mapping[str, Callable[[], int]]) -> None:
        self._most = dict(most)
        self._pools: dict[int, list[_Pool]] = {}  # by the identity of their worker's own queue of work

    def before_worker_boot(self, broker: Broker, worker: Worker) -> None:
        """Remember the worker. Dramatiq tells a consumer's thread nothing of it but its queue of work."""
        if isinstance(broker, DurableBroker):
            self._pools[id(worker.work_queue)] = [
                _Pool(queue_name, most, worker, broker) for queue_name, most in self._most.items()
            ]

    def after_consumer_thread_boot(self, broker: Broker, thread: ConsumerThread) -> None:  # noqa: ARG002
        """Have a consumer hand its messages to the threads of its queue; it has not begun to consume."""
        for pool in self._pools.get(id(thread.work_queue), ()):
            if thread.queue_name == pool.queue_name:
                thread.work_queue = pool.messages
                pool.broker.capacities.setdefault(thread.queue_name, pool.capacity)

    def before_worker_shutdown(self, broker: Broker, worker: Worker) -> None:  # noqa: ARG002
        for pool in self._pools.pop(id(worker.work_queue), ()):
            pool.close()


@contextmanager
def waiting() -> Iterator[None]:
    """Let another message run while this one's actor waits for another party.

    This is for an actor whose queue has `ElasticThreads`; anywhere else it changes nothing.
    """
    message, thread = current_message(), threading.current_thread()
    if message is None or not isinstance(thread, _Thread):
        yield
        return
    try:
        thread.pool.begin_waiting(thread, message)
        yield
    finally:
        thread.pool.end_waiting(thread, message)


class _Pool:
    """The threads of one worker for one queue.

    Parameters:
      queue_name: of the queue.
      most: returns how many messages this process may have in hand.
      worker: of Dramatiq. Its list of threads names these, too, so that it pauses and stops them.
      broker: the worker's.
    """

    def __init__(
        self, queue_name: str, most: Callable[[], int], worker: Worker, broker: DurableBroker
    ) -> None:
        self.queue_name = queue_name
        self.broker = broker
        self.messages = _PoolQueue(self)
        self.capacity = Capacity(most)
        self._worker = worker
        self._changing = threading.Lock()
        self._threads = 0
        self._idle = 0
        self._waiting: set[_Thread] = set()
        self._is_closed = False
        self._to_notice: SimpleQueue[PrefetchWindow | None] = SimpleQueue()
        threading.Thread(target=self._keep, name=f"recado-threads-{queue_name}", daemon=True).start()

    def grow(self) -> None:
        """Start a thread, if a message waits for one, no thread is idle, and one more may run."""
        with self._changing:
            if (
                self._is_closed
                or self.messages.qsize() <= self._idle
                or self._threads - len(self._waiting) >= self._worker.worker_threads
            ):
                return
            thread = _Thread(self, self._worker)
            if any(each.paused for each in self._worker.workers):
                thread.pause()
            try:
                thread.start()
            except RuntimeError as error:  # the system has no more: those that run do the work
                logger.warning(
                    "queue %s has %d threads, and no more: %s", self.queue_name, self._threads, error
                )
                return
            self._threads += 1
            self._worker.workers.append(thread)

    def begin_waiting(self, thread: _Thread, message: DurableMessage) -> None:
        """Note that a thread is about to wait.

        The thread may be interrupted anywhere, also between taking a lock and the `with` that would release
        it: so it takes none. Each step here is atomic, and what needs a lock the keeper does.
        """
        self._waiting.add(thread)
        if message.window is not None:
            message.begin_waiting()
            message.window.begin_waiting(message.delivery)
            self._to_notice.put(message.window)

    def end_waiting(self, thread: _Thread, message: DurableMessage) -> None:
        """Note that a thread goes on. Harmless for one that does not wait."""
        if message.window is not None:
            message.window.end_waiting(message.delivery)
        message.end_waiting()
        self._waiting.discard(thread)

    def _keep(self) -> None:
        """See what follows when a thread begins to wait: there is room for a thread, and for a message."""
        while (window := self._to_notice.get()) is not None:
            self.grow()
            window.notice_waiting()

    @contextmanager
    def idling(self) -> Iterator[None]:
        """While inside, a thread waits for a message."""
        with self._changing:
            self._idle += 1
        try:
            yield
        finally:
            with self._changing:
                self._idle -= 1

    def left(self, thread: _Thread) -> None:
        """Note that a thread ends, because it was idle or was stopped."""
        with self._changing:
            self._threads -= 1
            if not self._is_closed:  # from then on the worker waits for each of them to end
                self._worker.workers.remove(thread)
        self.grow()  # a message may have come between its last look and this

    def close(self) -> None:
        """Start no thread any more: what waits for one is given back to the queue."""
        with self._changing:
            self._is_closed = True
        self._to_notice.put(None)


class _PoolQueue(PriorityQueue[Any]):
    """What waits for one of the threads. A message that is put here brings one if need be."""

    def __init__(self, pool: _Pool) -> None:
        super().__init__()
        self._pool = pool

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        super().put(item, block, timeout)
        self._pool.grow()

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        with self._pool.idling():
            item = super().get(block, timeout)
        # A put between this thread's `get` and its end of idling took this thread for an idle one.
        self._pool.grow()
        return item


class _Thread(WorkerThread):
    """One of the threads. It ends when it has had no message for `IDLE_S`."""

    def __init__(self, pool: _Pool, worker: Worker) -> None:
        super().__init__(
            broker=worker.broker,
            consumers=worker.consumers,
            work_queue=pool.messages,
            worker_timeout=worker.worker_timeout,
        )
        self.pool = pool
        self._ended_s = time.monotonic()  # when its last message did

    @property
    def running(self) -> bool:
        """Whether to go on. Dramatiq's loop asks before it waits for a message; `stop` sets this."""
        return self._running and time.monotonic() - self._ended_s < IDLE_S

    @running.setter
    def running(self, running: bool) -> None:
        self._running = running

    def run(self) -> None:
        try:
            super().run()
        finally:
            self.pool.left(self)
            self.paused_event.set()  # nobody waits for it to pause

    def process_message(self, message: MessageProxy) -> None:
        try:
            super().process_message(message)
        finally:
            if isinstance(message, DurableMessage):  # an interrupt may have hit it before it could say so
                self.pool.end_waiting(self, message)
            self._ended_s = time.monotonic()
