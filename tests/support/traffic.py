"""Webhooks at a steady rate, from clients as they are: with fresh connections, and with ones they keep."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from dataclasses import dataclass
from urllib.parse import urlsplit

from ops.webhook import MESSAGES_PATH, message_parameters, signed

from .system import ADDRESS, PATIENCE_S, PUBLIC_URL

#: Every other webhook comes from one of so many clients that keep their connection.
KEEPERS = 8


@dataclass(frozen=True, slots=True)
class Sent:
    """One webhook, and what came of it.

    Attributes:
      number: its place among all that were sent, from 1.
      contact: who wrote; nobody else has this number.
      answer: the HTTP status, or what went wrong.
    """

    number: int
    contact: str
    answer: int | str


class Connection:
    """One, for one request after the other.

    Parameters:
      url: where to.

    Attributes:
      opened: how often it had to be opened.
      dropped: how often it was found closed by the server, which had not said that it would.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (str(parts.hostname), int(parts.port or 0))
        self.opened = 0
        self.dropped = 0
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def post(self, head: bytes, body: bytes) -> int:
        """Post; return the status. Opens the connection where there is none, or where it was closed."""
        if self._streams is not None and self._streams[0].at_eof():
            self.dropped += 1
            self.close()
        if self._streams is None:
            self._streams = await asyncio.open_connection(*self._to)
            self.opened += 1
        reader, writer = self._streams
        writer.write(head + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length: ")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
        if b"connection: close" in answer:
            self.close()
        return int(answer.split()[1])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def request(contact: str, auth_token: str) -> tuple[bytes, bytes]:
    """The head and body of a signed webhook."""
    parameters = message_parameters("Oi", sender=contact, to=ADDRESS)
    body, headers = signed(PUBLIC_URL + MESSAGES_PATH, parameters, auth_token=auth_token)
    lines = [f"POST {MESSAGES_PATH} HTTP/1.1", "Host: recado", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode(), body


class Traffic:
    """Sends webhooks in a thread of its own, until the `with` block ends.

    Parameters:
      url: the API's.
      auth_token: to sign with.
      per_s: webhooks a second.

    Attributes:
      sent: what was sent and answered, or not.
    """

    def __init__(self, url: str, auth_token: str, *, per_s: int) -> None:
        self._url = url
        self._auth_token = auth_token
        self._per_s = per_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send_all()))
        self.sent: list[Sent] = []

    def answers(self) -> Counter[int | str]:
        return Counter(one.answer for one in self.sent)

    def accepted(self) -> set[str]:
        """Who wrote something that got its 200."""
        return {one.contact for one in self.sent if one.answer == 200}

    async def _send_all(self) -> None:
        keepers: asyncio.Queue[Connection] = asyncio.Queue()
        for _ in range(KEEPERS):
            keepers.put_nowait(Connection(self._url))
        began, number = time.monotonic(), 0
        async with asyncio.TaskGroup() as tasks:
            while not self._stopping.is_set():
                number += 1
                tasks.create_task(self._send(number, keepers if number % 2 else None))
                await asyncio.sleep(max(0.0, began + number / self._per_s - time.monotonic()))
        while not keepers.empty():
            keepers.get_nowait().close()

    async def _send(self, number: int, keepers: asyncio.Queue[Connection] | None) -> None:
        contact = f"whatsapp:+55119{number:08d}"
        head, body = request(contact, self._auth_token)
        connection = Connection(self._url) if keepers is None else await keepers.get()
        answer: int | str
        try:
            async with asyncio.timeout(PATIENCE_S):
                answer = await connection.post(head, body)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            answer = f"{'fresh' if keepers is None else 'kept'}: {type(error).__name__} {error}"
            connection.close()
        if keepers is None:
            connection.close()
        else:
            keepers.put_nowait(connection)
        self.sent.append(Sent(number, contact, answer))

    def __enter__(self) -> Traffic:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()
