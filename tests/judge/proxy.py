"""A way to a server on which answers get lost after the server has done what it was told."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

#: What becomes of answers: they are passed on; never come, on a connection that stays open; or, now and then,
#: are lost with their connection.
Mode = Literal["open", "silent", "lossy"]

#: Which part of the answers is lost, when some are.
LOSS = 0.03


class Proxy:
    """Listens on a free port of the loopback interface until the `async with` block ends.

    Parameters:
      port: where the server listens.
      dice: decides which answers are lost.

    Attributes:
      mode: what becomes of answers from now on.
      lost: how many were lost.
    """

    def __init__(self, port: int, dice: random.Random) -> None:
        self._server_port = port
        self._dice = dice
        self._writers: set[asyncio.StreamWriter] = set()
        self.mode: Mode = "open"
        self.lost = 0

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    def heal(self) -> None:
        """Pass everything on again. Connections on which answers were withheld are closed."""
        self.mode = "open"
        for writer in list(self._writers):
            writer.transport.abort()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._line, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        self.heal()

    async def _line(self, client_reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            server_reader, server = await asyncio.open_connection("127.0.0.1", self._server_port)
        except OSError:
            client.transport.abort()
            return
        self._writers |= {client, server}
        try:
            await asyncio.gather(
                self._pass(client_reader, server, is_answer=False),
                self._pass(server_reader, client, is_answer=True),
            )
        finally:
            self._writers -= {client, server}

    async def _pass(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                if is_answer and self.mode == "silent":
                    self.lost += 1
                    continue
                if is_answer and self.mode == "lossy" and self._dice.random() < LOSS:
                    self.lost += 1
                    break
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
