"""Group commit: one thread per process that turns whatever waits into one commit.

A caller that wants something stored submits an `Operation` and waits for it, from a thread or from an event
loop. While the engine commits one batch the next one gathers, so that under load many callers share one
fsync, and a caller that is alone does not wait.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from .commit_slots import CommitSlots, SingleSlot
from .errors import EngineError
from .interrupts import is_exposed

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: How many operations one commit takes at most: enough for any burst, bounded so that nobody starves.
MAX_BATCH = 1024

#: How long operations nobody waits for (acks) may wait for company, in seconds.
LINGER_S = 0.005

#: How long after a failure they are tried again, in seconds.
RETRY_S = 0.5


class Operation(Generic[T]):
    """Something to be done within the next commit. What that is, each engine adds.

    Parameters:
      durable: the commit must be on disk before this operation counts as done.
      lazy: nobody waits; it may be kept a few milliseconds for company.

    Attributes:
      abandoned: who waited has given up. It must not be begun.
      result, error: what came of it.
    """

    # Here rather than in each: one is made for every message, and most never change them.
    durable = True
    lazy = False
    abandoned = False
    result: T | None = None
    error: BaseException | None = None
    _done: threading.Lock | None = None
    _future: asyncio.Future[None] | None = None

    def __init__(self, *, durable: bool = True, lazy: bool = False) -> None:
        self.durable = durable
        self.lazy = lazy

    def wait(self, submit: Callable[[Any], None], timeout_s: float) -> T:
        """Submit this and block until it is committed.

        Raises:
          EngineError: not within `timeout_s`. If it had not begun by then it never will.
        """
        # A bare lock is the cheapest thing in CPython that one thread can wait on and another release.
        self._done = threading.Lock()
        self._done.acquire()
        submit(self)
        self.abandoned = not self._done.acquire(timeout=timeout_s)
        return self._outcome_within(timeout_s)

    async def wait_async(self, submit: Callable[[Any], None], timeout_s: float) -> T:
        """`wait` for a coroutine."""
        loop = asyncio.get_running_loop()
        self._future = loop.create_future()
        submit(self)
        # What asyncio.timeout does too, at four times the cost.
        patience = loop.call_later(timeout_s, self._give_up, self._future)
        try:
            await self._future
        finally:
            patience.cancel()
        return self._outcome_within(timeout_s)

    def _give_up(self, future: asyncio.Future[None]) -> None:
        if not future.done():
            self.abandoned = True
            future.set_result(None)

    def _outcome_within(self, timeout_s: float) -> T:
        if self.abandoned:
            raise EngineError(f"The queue did not answer within {timeout_s:g} s")
        return self.outcome()

    def outcome(self) -> T:
        """The result, or what went wrong, raised."""
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # None only where T is None


class Closed(EngineError):
    """The writer was closed, and the operation was not begun."""


Op = TypeVar("Op", bound=Operation[Any])


class Writer(Generic[Op]):
    """The threads that commit, and the way past them for a caller who is alone.

    Parameters:
      commit: commits a batch and sets `result` or `error` on each operation. It must not raise.
      try_commit: commits one operation if that needs no waiting for others, else returns False and leaves
        it alone. None: everything goes through a thread.
      slots: when a commit may begin. One follows the other, when not given.
      name: the threads' name.
    """

    def __init__(
        self,
        commit: Callable[[list[Op]], None],
        *,
        try_commit: Callable[[Op], bool] | None = None,
        slots: CommitSlots | None = None,
        name: str,
    ) -> None:
        self._commit = commit
        self._try_commit = try_commit
        self._name = name
        self._inbox: SimpleQueue[Op | None] = SimpleQueue()
        self._slots: CommitSlots = SingleSlot() if slots is None else slots
        self._threads: list[threading.Thread] = []
        self._collecting = threading.Lock()
        self._starting = threading.Lock()
        self._closed = False
        self._tried_last = False

    def perform(self, operation: Op, timeout_s: float) -> Any:
        """Get an operation committed and return its result. For threads.

        A caller that finds no other one at work commits on its own thread: handing over to another thread
        and being woken by it takes longer than the commit of a small write without fsync.

        Raises:
          EngineError: not within `timeout_s` seconds, or the engine could not, or the writer was closed.
        """
        if self._commit_here(operation):
            return operation.outcome()
        return operation.wait(self.submit, timeout_s)

    def _commit_here(self, operation: Op) -> bool:
        if self._try_commit is None or is_exposed() or not self._inbox.empty():
            return False
        if not self._slots.try_acquire():
            return False
        try:
            return not self._closed and self._try_commit(operation)
        finally:
            self._slots.release()

    def submit(self, operation: Op) -> None:
        """Hand an operation over to the thread.

        Raises:
          EngineError: the writer was closed.
        """
        if not self._threads:
            self._start(1)
        if self._closed:
            raise Closed("The queue was closed")
        self._inbox.put(operation)

    def close(self, timeout_s: float | None = None) -> bool:
        """Commit what was submitted, then stop.

        Parameters:
          timeout_s: how long to wait for a commit that is going on, in seconds; None for as long as it takes.

        Returns False when one is still going on. Its thread ends with the process.
        """
        with self._starting:
            self._closed = True
        if self._threads:
            self._inbox.put(None)
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                return False
        self._slots.wait_idle()  # whoever commits on its own thread has ended, and nobody begins
        return True

    def _start(self, number: int) -> None:
        """Have so many threads at least."""
        with self._starting:
            if len(self._threads) < number and not self._closed:
                thread = threading.Thread(target=self._run, args=(number,), name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()

    def _run(self, number: int) -> None:
        owed: list[Op] = []
        while (batch := self._next_batch(owed)) is not None:
            if number < self._slots.at_once:
                self._start(number + 1)  # who comes from here on may not have to wait for this batch
            try:
                self._commit_for_sure(batch)
            finally:
                self._slots.release()
            _wake(batch)
            owed = self._still_owed(batch)
        self._inbox.put(None)  # for the next thread

    def _next_batch(self, owed: list[Op]) -> list[Op] | None:
        """Wait for work and for a turn. None: closed, and nothing is left."""
        with self._collecting:  # one thread at a time: what was submitted in order is committed in order
            batch = self._wait_for_work(owed)
            if batch is not None:
                self._slots.acquire()
                self._gather(batch)
            return batch

    def _wait_for_work(self, owed: list[Op]) -> list[Op] | None:
        """Block for the first operation. None: closed, and nothing is left."""
        try:
            operation = self._inbox.get(timeout=RETRY_S if owed else None)
        except Empty:
            return owed
        return self._last_batch(owed) if operation is None else [*owed, operation]

    def _gather(self, batch: list[Op]) -> None:
        """Add what else waits; where nobody is in a hurry, linger a little for more."""
        in_a_hurry = not all(operation.lazy for operation in batch)
        leave_at = time.monotonic() + LINGER_S
        while len(batch) < MAX_BATCH:
            try:
                if in_a_hurry:
                    operation = self._inbox.get_nowait()
                else:
                    operation = self._inbox.get(timeout=max(0.0, leave_at - time.monotonic()))
            except Empty:
                return
            if operation is None:
                self._inbox.put(None)  # for the next round to find, once this batch is committed
                return
            batch.append(operation)
            in_a_hurry = in_a_hurry or not operation.lazy

    def _commit_for_sure(self, batch: list[Op]) -> None:
        try:
            self._commit(batch)
        except Exception as error:  # whatever it is, the callers must hear of it, and this thread go on
            told = sum(not operation.lazy for operation in batch)
            logger.exception(
                "Unexpected error in a commit: %d callers are told, acknowledgements are tried again", told
            )
            for operation in batch:
                operation.error = EngineError(f"The queue failed: {type(error).__name__}: {error}")

    def _still_owed(self, batch: list[Op]) -> list[Op]:
        """What failed and has nobody waiting who could be told: it is tried until it succeeds."""
        owed = [operation for operation in batch if operation.lazy and operation.error is not None]
        if owed:
            logger.warning("Could not write acknowledgements, trying again: %s", owed[0].error)
        for operation in owed:
            operation.error = None
        return owed

    def _last_batch(self, owed: list[Op]) -> list[Op] | None:
        if not owed:
            return None
        if self._tried_last:
            logger.error("Closing with unwritten acknowledgements: their messages will be delivered again")
            return None
        self._tried_last = True
        self._inbox.put(None)
        return owed


def _wake(batch: Sequence[Operation[Any]]) -> None:
    """Tell the waiting threads one by one, and each event loop once for all its coroutines."""
    futures: defaultdict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = defaultdict(list)
    for operation in batch:
        if operation._done is not None:
            operation._done.release()
        elif operation._future is not None:
            futures[operation._future.get_loop()].append(operation._future)
    for loop, waiting in futures.items():
        with suppress(RuntimeError):  # the loop is closed, and whoever waited on it is gone
            loop.call_soon_threadsafe(_resolve, waiting)


def _resolve(futures: list[asyncio.Future[None]]) -> None:
    for future in futures:
        if not future.done():  # its request may have been cancelled meanwhile
            future.set_result(None)
