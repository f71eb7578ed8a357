"""The event loop of this process, on which coroutines of all its threads run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from concurrent.futures import CancelledError
from typing import Any, ClassVar, Generic, TypeVar, cast

import structlog

from brokers.forks import abandon_in_children

logger = structlog.get_logger(__name__)

T = TypeVar("T")

#: How often a waiting thread looks up, in seconds. Python delivers an interrupt between two instructions of a
#: thread, and one that waits executes none. The watchdog of time limits looks as often.
CHECK_EVERY_S = 1.0

#: How long an interrupted thread waits for the cleanup of its coroutine, in seconds.
CLEANUP_S = 1.0


class EventLoop:
    """Runs coroutines for threads that wait for what they return, in a thread of its own.

    A process has one: clients of HTTP share connections among all their calls, and a connection belongs to
    the loop on which it was opened. The thread is started when it is first needed, and ends with the process.
    """

    def __init__(self) -> None:
        self._starting = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inherited: list[asyncio.AbstractEventLoop] = []

    def run(self, awaitable: Awaitable[T]) -> T:
        """Run an awaitable, and wait for what it returns.

        When this thread is interrupted meanwhile, because its time is over or its worker stops, the awaitable
        is cancelled. The interrupt is raised when its cleanup is done, or after `CLEANUP_S`.

        Raises:
          Exception: what the awaitable raises.
        """
        loop, run = self._started(), _Run(awaitable)
        try:
            loop.call_soon_threadsafe(run.start)
            while not run.ended.acquire(timeout=CHECK_EVERY_S):
                pass
        except BaseException:
            loop.call_soon_threadsafe(run.cancel)
            if not (run.has_ended or run.ended.acquire(timeout=CLEANUP_S)):
                logger.warning("a cancelled coroutine of the responder goes on", after_s=CLEANUP_S)
            raise
        return run.result()

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                abandon_in_children(self)
                loop = asyncio.new_event_loop()
                threading.Thread(target=loop.run_forever, name="recado-event-loop", daemon=True).start()
                self._loop = loop
            return self._loop

    def abandon(self) -> None:
        """Forget the loop after a fork: its thread is the parent's.

        It is kept unused, because to close it would take its files out of the parent's epoll, which the two
        processes share.
        """
        self._starting = threading.Lock()
        if self._loop is not None:
            self._inherited.append(self._loop)
            self._loop = None


class _Run(Generic[T]):
    """An awaitable on the loop, and what the thread that waits for it knows of it.

    There is no lock that both take: an interrupt may hit the thread while it holds one, and the loop would
    wait for ever. The loop releases `ended`, which blocks nothing, and the thread acquires it in one step.

    Attributes:
      ended: held until the awaitable has ended, and then taken by the thread.
      has_ended: whether it has.
    """

    #: Those that have begun: the loop itself refers to tasks only weakly.
    _begun: ClassVar[set[_Run[Any]]] = set()

    def __init__(self, awaitable: Awaitable[T]) -> None:
        self._awaitable = awaitable
        self._task: asyncio.Task[T] | None = None
        self.has_ended = False
        self.ended = threading.Lock()
        self.ended.acquire()

    def start(self) -> None:
        """Begin, on the loop."""
        self._begun.add(self)
        self._task = asyncio.ensure_future(self._awaited())
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        """Cancel, on the loop; harmless for one that has ended."""
        if self._task is None:  # the interrupt came before the start
            self.start()
        if self._task is not None:
            self._task.cancel()

    def result(self) -> T:
        """Return or raise what came of it, once it has ended."""
        try:
            return cast(asyncio.Task[T], self._task).result()
        except asyncio.CancelledError:  # by itself. Outside of a loop it would pass for an interrupt
            raise CancelledError from None

    async def _awaited(self) -> T:
        return await self._awaitable

    def _end(self, _task: asyncio.Task[T]) -> None:
        self._begun.discard(self)
        self.has_ended = True
        self.ended.release()


#: This process's.
event_loop = EventLoop()
