"""One API process: uvicorn, with a shutdown that no client notices."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

import uvicorn
from fastapi import FastAPI

from .exit_codes import NO_CONNECTION, OK
from .foundation import gc_tuning
from .slow_requests import timely

#: How much longer than the keep-alive timeout the shutdown waits, in seconds, so that its timers are first.
MARGIN_S = 0.5


class Server(uvicorn.Server):
    """Serves until told to stop, then hands over to the next server on the same socket.

    uvicorn's own shutdown closes idle keep-alive connections at once, and so fails a request that is on its
    way. This server first stops accepting. The next answer on each connection says `Connection: close`; a
    connection without a request ends by the usual keep-alive timeout.

    Parameters:
      config: uvicorn's configuration.
      on_accepting: called with the server once it accepts connections.
      drain: called when the server is told to stop, to end answers that go on as long as their clients.
      on_exit: called in the signal handler, to end a start that waits for something.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        on_accepting: Callable[[Server], None] | None = None,
        drain: Callable[[], None] | None = None,
        on_exit: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._on_accepting = on_accepting
        self._drain = drain
        self._on_exit = on_exit

    @property
    def is_draining(self) -> bool:
        return self.should_exit

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._on_accepting is not None and self.started:
            self._on_accepting(self)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        if self._drain is not None:
            self._drain()
        self.server_state.default_headers.append((b"connection", b"close"))
        with suppress(TimeoutError):
            async with asyncio.timeout(self.config.timeout_keep_alive + MARGIN_S):
                while self.server_state.connections and not self.force_exit:  # noqa: ASYNC110  uvicorn's own
                    await asyncio.sleep(0.05)
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002
        """Drain at the first signal. At the second one, close all connections at once."""
        self.force_exit = self.should_exit
        self.should_exit = True
        if self._on_exit is not None:
            self._on_exit()


def run_server(
    app: FastAPI,
    *,
    host: str,
    port: int,
    request_within_s: float = 15.0,
    sockets: Sequence[socket.socket] | None = None,
    on_accepting: Callable[[Server], None] | None = None,
) -> int:
    """Serve until told to stop; return the exit code.

    Parameters:
      app: the application.
      host, port: the address to listen on.
      request_within_s: how long a client may take to send a request, in seconds.
      sockets: listening sockets to use instead of that address.
      on_accepting: called with the server once it accepts connections.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=timely(request_within_s),
        ws="none",  # no route has one, and uvicorn's class for them has no limit of time
        log_config=None,  # uvicorn's logs go where all others go
        access_log=False,  # each webhook logs itself
        proxy_headers=False,  # forwarded headers decide nothing here
        server_header=False,
    )
    gc_tuning.freeze()
    server = Server(
        config,
        on_accepting=on_accepting,
        drain=getattr(app.state, "drain", None),
        on_exit=getattr(app.state, "stop_waiting", None),
    )
    server.run(sockets=None if sockets is None else list(sockets))
    opening = getattr(app.state, "opening", None)
    was_refused = opening is not None and opening.refusal is not None
    return OK if server.started and not was_refused else NO_CONNECTION
