"""What is pushed to open pages, as server-sent events."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor

from starlette.responses import PlainTextResponse, Response, StreamingResponse

#: How often an open page is told what has changed, in seconds.
EVERY_S = 2.0

#: How many pages may be open at a time. Each costs a few milliseconds whenever it is told something.
MOST = 32

#: So many rounds without news, and a comment shows proxies that the connection lives.
QUIET_ROUNDS = 7

#: A name, and what the page shows in the place of that name.
Event = tuple[str, str]


class Over(Exception):
    """What the page shows is not there any more, or not for this visitor."""


class Streams:
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

    def stream(self, look: Callable[[], Sequence[Event]]) -> Response:
        """An answer that goes on for as long as the page is open.

        Parameters:
          look: returns what the page shows now. It may take its time, and is called in a thread. `Over` ends
            the stream.
        """
        if self._closing.is_set() or self._open >= MOST:
            return PlainTextResponse("Not now.\n", 503, headers={"Retry-After": "5"})
        return StreamingResponse(
            self._told(look),
            media_type="text/event-stream",
            # No proxy shall gather it up, and no connection outlive it.
            headers={"X-Accel-Buffering": "no", "Connection": "close"},
        )

    async def _told(self, look: Callable[[], Sequence[Event]]) -> AsyncIterator[str]:
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
                elif quiet % QUIET_ROUNDS == 0:
                    yield ": nothing new\n\n"
                await self._pause()
        except Over:
            return
        finally:
            self._open -= 1

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(EVERY_S):
                await self._closing.wait()
        except TimeoutError:
            return


def _is_news(shown: dict[str, bytes], event: Event) -> bool:
    name, data = event
    digest = hashlib.blake2b(data.encode(), digest_size=16).digest()
    if shown.get(name) == digest:
        return False
    shown[name] = digest
    return True


def _as_text(event: Event) -> str:
    name, data = event
    # An event without any data line would not be one.
    lines = "".join(f"data: {line}\n" for line in data.splitlines() or [""])
    return f"event: {name}\n{lines}\n"
