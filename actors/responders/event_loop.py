"""The event loop of this process, on which coroutines of all its threads run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from concurrent.futures import wait
from typing import TypeVar

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
        ended = threading.Event()

        async def awaited() -> T:
            try:
                return await awaitable
            finally:
                ended.set()

        future = asyncio.run_coroutine_threadsafe(awaited(), self._started())
        try:
            while not future.done():
                wait([future], CHECK_EVERY_S)
            return future.result()
        except BaseException:
            if future.cancel() and not ended.wait(CLEANUP_S):
                logger.warning("a cancelled coroutine of the responder goes on", after_s=CLEANUP_S)
            raise

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


#: This process's.
event_loop = EventLoop()
