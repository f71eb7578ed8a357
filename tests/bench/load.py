"""A load generator of our own: HTTP/1.1 on keep-alive connections, requests made and signed beforehand.

It has to cost less than what it measures, because both share the machine.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator
from typing import NamedTuple, cast

import uvloop

from ops.webhook import MESSAGES_PATH, message_parameters, signed

from .figures import percentile

#: The address Twilio knows. It leads nowhere: requests are signed for it, and sent to the local port.
PUBLIC_URL = "https://recado.example.com"
AUTH_TOKEN = "12345678901234567890123456789012"
ADDRESS = "whatsapp:+15005550006"

#: A customer's message of a usual length.
TEXT = "Oi, gostaria de saber se o pedido que fiz na semana passada já saiu para entrega, obrigado!"

#: How long all of them may take, in seconds.
ANSWERED_WITHIN_S = 600.0

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


class Load(NamedTuple):
    """What a server made of the load."""

    began_at: float  # in seconds of the monotonic clock, warm-up included
    per_second: float
    p99_ms: float


class NotAccepted(Exception):
    """A webhook got another answer than 200."""


def press(port: int, *, requests: int, warm_up: int, connections: int) -> Load:
    """Send requests as fast as they are answered, one at a time on each connection.

    Parameters:
      port: the server's, on the loopback interface.
      requests: how many are measured.
      warm_up: how many go before.
      connections: how many connections.

    Raises:
      NotAccepted: one was refused.
    """
    made = [_request(number) for number in range(warm_up + requests)]
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    began_at = time.monotonic()
    asyncio.run(_send_all(port, made[:warm_up], connections))
    began = time.perf_counter()
    waits = asyncio.run(_send_all(port, made[warm_up:], connections))
    return Load(began_at, len(waits) / (time.perf_counter() - began), percentile(waits, 99) * 1000)


def _request(number: int) -> bytes:
    """A signed webhook of a contact of its own, so that no conversation stands in another's way."""
    parameters = message_parameters(TEXT, sender=f"whatsapp:+55119{number:08d}", to=ADDRESS)
    body, headers = signed(PUBLIC_URL + MESSAGES_PATH, parameters, auth_token=AUTH_TOKEN)
    head = [f"POST {MESSAGES_PATH} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    head += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*head, "", ""]).encode() + body


async def _send_all(port: int, requests: list[bytes], connections: int) -> list[float]:
    loop = asyncio.get_running_loop()
    waiting, waits = iter(requests), list[float]()
    lines = [_Line(waiting, waits, loop.create_future()) for _ in range(connections)]
    for line in lines:
        await loop.create_connection(lambda line=line: line, "127.0.0.1", port)  # type: ignore[misc]
    async with asyncio.timeout(ANSWERED_WITHIN_S):
        await asyncio.gather(*(line.done for line in lines))
    return waits


class _Line(asyncio.Protocol):
    """One connection: sends the next request when the last has its answer."""

    def __init__(self, requests: Iterator[bytes], waits: list[float], done: asyncio.Future[None]) -> None:
        self.done = done
        self._requests = requests
        self._waits = waits
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance
        self._send_next()

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        length = _LENGTH.search(self._received, 0, end + 2) if end >= 0 else None
        if length is None or len(self._received) < end + 4 + int(length[1]):
            return
        if not self._received.startswith(b"HTTP/1.1 200 "):
            self._finish(NotAccepted(self._received.decode(errors="replace")))
            return
        self._waits.append(time.perf_counter() - self._sent_at)
        self._received = b""
        self._send_next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._finish(NotAccepted(f"The server closed the connection: {exc}"))

    def _send_next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._finish(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def _finish(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(None)
        else:
            self.done.set_exception(error)
        self._transport.close()
