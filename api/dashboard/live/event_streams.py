"""Pushes events to open pages, as server-sent events."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor

from starlette.responses import PlainTextResponse, Response, StreamingResponse

#: How often the events of an open page are read, in seconds.
POLL_EVERY_S = 2.0

#: How many streams may be open at a time. Each costs a few milliseconds whenever something changes.
MAX_STREAMS = 32

#: After so many readings without a change, a comment shows proxies that the connection lives.
POLLS_PER_KEEPALIVE = 7

#: An event: a name, and what the page shows in the place of that name.
StreamEvent = tuple[str, str]


class StreamEnded(Exception):
    """Ends a stream: what the page shows is not there any more, or not for this user."""


class EventStreams:
    """Holds all open streams. They end when the server is about to: it would wait for them.

    Parameters:
      threads: run what reads the events of a page.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._open = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every stream, and open no other."""
        self._closing.set()

    def respond(self, read: Callable[[], Sequence[StreamEvent]], *, every_s: float | None = None) -> Response:
        """Make an answer that goes on for as long as the page is open.

        Parameters:
          read: returns what the page shows now. It is called in a thread, and may wait. `StreamEnded` ends
            the stream.
          every_s: how often it is called, in seconds; every two when not given.
        """
        if self._closing.is_set() or self._open >= MAX_STREAMS:
            return PlainTextResponse("Not now.\n", 503, headers={"Retry-After": "5"})
        return StreamingResponse(
            self._lines(read, POLL_EVERY_S if every_s is None else every_s),
            media_type="text/event-stream",
            # A proxy must not buffer the stream, and its connection must not be used again.
            headers={"X-Accel-Buffering": "no", "Connection": "close"},
        )

    async def _lines(self, read: Callable[[], Sequence[StreamEvent]], every_s: float) -> AsyncIterator[str]:
        shown: dict[str, bytes] = {}
        quiet = 0
        self._open += 1
        try:
            yield "retry: 3000\n\n"
            while not self._closing.is_set():
                events = await asyncio.get_running_loop().run_in_executor(self._threads, read)
                changed = [event for event in events if _has_changed(shown, event)]
                quiet = 0 if changed else quiet + 1
                if changed:
                    yield "".join(_as_text(event) for event in changed)
                elif quiet % round(POLLS_PER_KEEPALIVE * POLL_EVERY_S / every_s) == 0:
                    yield ": nothing new\n\n"
                await self._pause(every_s)
        except StreamEnded:
            return
        finally:
            self._open -= 1

    async def _pause(self, every_s: float) -> None:
        try:
            async with asyncio.timeout(every_s):
                await self._closing.wait()
        except TimeoutError:
            return


def _has_changed(shown: dict[str, bytes], event: StreamEvent) -> bool:
    name, data = event
    digest = hashlib.blake2b(data.encode(), digest_size=16).digest()
    if shown.get(name) == digest:
        return False
    shown[name] = digest
    return True


def _as_text(event: StreamEvent) -> str:
    name, data = event
    # An event without any data line would not be one.
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {name}\n{lines}\n"
