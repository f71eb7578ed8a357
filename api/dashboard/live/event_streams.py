"""What is pushed to open pages, as server-sent events."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor

from starlette.responses import PlainTextResponse, Response, StreamingResponse

#: How often an open page is told what has changed, in seconds.
POLL_EVERY_S = 2.0

#: How many pages may be open at a time. Each costs a few milliseconds whenever it is told something.
MAX_STREAMS = 32

#: So many rounds without news, and a comment shows proxies that the connection lives.
POLLS_PER_KEEPALIVE = 7

#: A name, and what the page shows in the place of that name.
StreamEvent = tuple[str, str]


class StreamEnded(Exception):
    """What the page shows is not there any more, or not for this user."""


class EventStreams:
    """All open streams. They end when the server is about to: it would wait for them.

    Parameters:
      threads: where to look at what a page shows.
    """

    def __init__(self, threads: Executor) -> None:
        self._threads = threads
        self._open = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every stream, and begin no other."""
        self._closing.set()

    def respond(self, look: Callable[[], Sequence[StreamEvent]]) -> Response:
        """An answer that goes on for as long as the page is open.

        Parameters:
          look: returns what the page shows now. It may take its time, and is called in a thread.
            `StreamEnded` ends the stream.
        """
        if self._closing.is_set() or self._open >= MAX_STREAMS:
            return PlainTextResponse("Not now.\n", 503, headers={"Retry-After": "5"})
        return StreamingResponse(
            self._told(look),
            media_type="text/event-stream",
            # No proxy shall gather it up, and no connection outlive it.
            headers={"X-Accel-Buffering": "no", "Connection": "close"},
        )

    async def _told(self, look: Callable[[], Sequence[StreamEvent]]) -> AsyncIterator[str]:
        shown: dict[str, bytes] = {}
        quiet = 0
        self._open += 1
        try:
            yield "retry: 3000\n\n"
            while not self._closing.is_set():
                seen = await asyncio.get_running_loop().run_in_executor(self._threads, look)
                news = [event for event in seen if _is_news(shown, event)]
                quiet = 0 if news else quiet + 1
                if news:
                    yield "".join(_as_text(event) for event in news)
                elif quiet % POLLS_PER_KEEPALIVE == 0:
                    yield ": nothing new\n\n"
                await self._pause()
        except StreamEnded:
            return
        finally:
            self._open -= 1

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(POLL_EVERY_S):
                await self._closing.wait()
        except TimeoutError:
            return


def _is_news(shown: dict[str, bytes], event: StreamEvent) -> bool:
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
