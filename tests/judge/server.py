"""HTTP, lean: the judge shares its machine with what it judges."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import uvicorn

#: For httpx, which would read all certificates that this machine trusts for each client, in 25 ms.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

#: Patience with a server that starts or ends, in seconds.
WITHIN_S = 10.0


@dataclass(frozen=True)
class Request:
    """A request, read to its end.

    Attributes:
      is_gone: tells whether the program that asked has closed its connection since.
    """

    method: str
    path: str
    query: str
    body: bytes
    is_gone: Callable[[], bool] = lambda: False

    def form(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True)
class Response:
    """What is answered.

    Attributes:
      is_dropped: the connection is reset in place of an answer.
    """

    status: int = 200
    body: Any = b""
    headers: tuple[tuple[str, str], ...] = ()
    is_dropped: bool = False


Handler = Callable[[Request], Awaitable[Response]]


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to connections (from 32768 on).

    Otherwise a connection of any program could have it just when a server that was killed comes back.
    """
    while True:
        port = random.SystemRandom().randrange(10_000, 32_768)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    """Serve on a free port of the loopback interface while inside; gives the URL."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    config = uvicorn.Config(
        _Application(handler),
        log_level="critical",  # a connection that is dropped on purpose is an error to it
        lifespan="off",
        access_log=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listener]))  # serve() would take the signals of this process
    try:
        async with asyncio.timeout(WITHIN_S):
            while not server.started:
                await asyncio.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait([task], timeout=WITHIN_S)
        listener.close()


class _Application:
    """An ASGI application around a handler."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while (event := await receive())["type"] == "http.request":
            body += event.get("body", b"")
            if not event.get("more_body"):
                break
        cycle = send.__self__  # uvicorn's, of this request
        query = scope["query_string"].decode()
        response = await self._handler(
            Request(scope["method"], scope["path"], query, body, lambda: cycle.disconnected)
        )
        if response.is_dropped:
            cycle.transport.abort()
            return
        content = response.body if isinstance(response.body, bytes) else json.dumps(response.body).encode()
        headers = [(name.lower(), value) for name, value in response.headers]
        if not any(name == "content-type" for name, _ in headers):
            headers.append(("content-type", "application/json"))
        headers.append(("content-length", str(len(content))))
        encoded = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": response.status, "headers": encoded})
        await send({"type": "http.response.body", "body": content})
