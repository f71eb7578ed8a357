"""Group commit: one thread per process that turns whatever waits into one commit.

Whoever wants something stored submits an `Operation` and waits for it, from a thread or from an event
loop. While the engine commits one batch the next one gathers, so that under load many callers share
one fsync, and alone a caller waits for nobody.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from .errors import EngineError

S = TypeVar("S")
T = TypeVar("T")

logger = logging.getLogger(__name__)

#: How many operations one commit takes at most: enough for any burst, bounded so that nobody starves.
MAX_BATCH = 1024

#: How long operations nobody waits for (acks) may wait for company, in seconds.
LINGER_S = 0.005

#: How long after a failure they are tried again, in seconds.
RETRY_S = 0.5


class Operation(Generic[S, T]):
    """Something to be done within the next commit.

    Parameters:
      apply: does it, given the engine's session. It may run twice, when the first try was rolled back,
        so it must leave no trace outside the session.
      durable: the commit must be on disk before this operation counts as done.
      lazy: nobody waits; it may be kept a few milliseconds for company.
    """

    __slots__ = ("_done", "_future", "abandoned", "apply", "durable", "error", "lazy", "result")

    def __init__(self, apply: Callable[[S], T], *, durable: bool = True, lazy: bool = False) -> None:
        self.apply = apply
        self.durable = durable
        self.lazy = lazy
        self.abandoned = False
        self.result: T | None = None
        self.error: BaseException | None = None
        self._done: threading.Lock | None = None
        self._future: asyncio.Future[Any] | None = None

    def wait(self, submit: Callable[[Operation[S, T]], None], timeout_s: float) -> T:
        """Submit this and block until it is committed.

        Raises:
          EngineError: not within `timeout_s`. If it had not begun by then it never will.
        """
        # A bare lock is the cheapest thing in CPython that one thread can wait on and another release.
        self._done = threading.Lock()
        self._done.acquire()
        submit(self)
        if not self._done.acquire(timeout=timeout_s):
            self.abandoned = True
            raise EngineError(f"The queue did not answer within {timeout_s:g} s")
        return self._outcome()

    async def wait_async(self, submit: Callable[[Operation[S, T]], None], timeout_s: float) -> T:
        """`wait` for a coroutine."""
        self._future = asyncio.get_running_loop().create_future()
        submit(self)
        try:
            async with asyncio.timeout(timeout_s):
                await self._future
        except TimeoutError:
            self.abandoned = True
            raise EngineError(f"The queue did not answer within {timeout_s:g} s") from None
        return self._outcome()

    def _outcome(self) -> T:
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # None only where T is None


class Writer(Generic[S]):
    """The thread that commits.

    Parameters:
      commit: commits a batch and sets `result` or `error` on each operation. It must not raise.
      name: the thread's name.
    """

    def __init__(self, commit: Callable[[list[Operation[S, Any]]], None], *, name: str) -> None:
        self._commit = commit
        self._name = name
        self._inbox: SimpleQueue[Operation[S, Any] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._closed = False
        self._tried_last = False

    def submit(self, operation: Operation[S, Any]) -> None:
        """Hand an operation over.

        Raises:
          EngineError: the writer was closed.
        """
        if self._thread is None:
            self._start()
        if self._closed:
            raise EngineError("The queue was closed")
        self._inbox.put(operation)

    def close(self) -> None:
        """Commit what was submitted, then stop."""
        with self._starting:
            self._closed = True
            thread = self._thread
        if thread is not None:
            self._inbox.put(None)
            thread.join()

    def _start(self) -> None:
        with self._starting:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()

    def _run(self) -> None:
        owed: list[Operation[S, Any]] = []
        while (batch := self._gather(owed)) is not None:
            try:
                self._commit(batch)
            except Exception as error:  # whatever it is, whoever waits must hear of it, and this thread go on
                logger.exception("A commit failed in a way nobody thought of")
                for operation in batch:
                    operation.error = EngineError(f"The queue failed: {type(error).__name__}: {error}")
            _wake(batch)
            owed = self._still_owed(batch)

    def _gather(self, owed: list[Operation[S, Any]]) -> list[Operation[S, Any]] | None:
        """Block for the first operation, then take what else waits. None: closed, and nothing is left."""
        try:
            operation = self._inbox.get(timeout=RETRY_S if owed else None)
        except Empty:
            return owed
        if operation is None:
            return self._last_batch(owed)
        batch = [*owed, operation]
        in_a_hurry = not operation.lazy
        leave_at = time.monotonic() + LINGER_S
        while len(batch) < MAX_BATCH:
            try:
                if in_a_hurry:
                    operation = self._inbox.get_nowait()
                else:
                    operation = self._inbox.get(timeout=max(0.0, leave_at - time.monotonic()))
            except Empty:
                break
            if operation is None:
                self._inbox.put(None)  # for the next call to find, once this batch is committed
                break
            batch.append(operation)
            in_a_hurry = in_a_hurry or not operation.lazy
        return batch

    def _still_owed(self, batch: list[Operation[S, Any]]) -> list[Operation[S, Any]]:
        """What failed and has nobody waiting who could be told: it is tried until it succeeds."""
        owed = [operation for operation in batch if operation.lazy and operation.error is not None]
        if owed:
            logger.warning("Could not write acknowledgements, trying again: %s", owed[0].error)
        for operation in owed:
            operation.error = None
        return owed

    def _last_batch(self, owed: list[Operation[S, Any]]) -> list[Operation[S, Any]] | None:
        if not owed:
            return None
        if self._tried_last:
            logger.error("Closing with unwritten acknowledgements: their messages will be delivered again")
            return None
        self._tried_last = True
        self._inbox.put(None)
        return owed


def _wake(batch: list[Operation[Any, Any]]) -> None:
    """Tell the waiting threads one by one, and each event loop once for all its coroutines."""
    futures: defaultdict[asyncio.AbstractEventLoop, list[asyncio.Future[Any]]] = defaultdict(list)
    for operation in batch:
        if operation._done is not None:
            operation._done.release()
        elif operation._future is not None:
            futures[operation._future.get_loop()].append(operation._future)
    for loop, waiting in futures.items():
        if not loop.is_closed():
            loop.call_soon_threadsafe(_resolve, waiting)


def _resolve(futures: list[asyncio.Future[Any]]) -> None:
    for future in futures:
        if not future.done():  # its request may have been cancelled meanwhile
            future.set_result(None)
