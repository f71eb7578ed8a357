"""One API process: uvicorn, with an end that no client notices."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import FrameType

import structlog
import uvicorn
from fastapi import FastAPI

from .foundation import gc_tuning
from .slow_requests import timely

logger = structlog.get_logger(__name__)

#: Exit codes, as those of a worker. uvicorn itself ends with the second when the application did not start.
OK, NO_CONNECTION = 0, 3

#: Over and above the keep-alive timeout, in seconds, so that its timers come first.
MARGIN_S = 0.5


class Server(uvicorn.Server):
    """Serves until told to stop, then hands over to the next server on the same socket.

    uvicorn's own end closes idle keep-alive connections at once, which fails a request that is just on its
    way. This one first stops accepting; the connections that are left are asked to close by
    `Connection: close` in their next answer, or end by the usual keep-alive timeout.

    Parameters:
      config: uvicorn's.
      watch: run beside it, once it accepts connections and until the process ends.
      drain: called when it is told to stop, to end answers that would go on for as long as their clients.
      on_exit: called in the signal handler, to end a start that would go on.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        watch: Callable[[Server], None] | None = None,
        drain: Callable[[], None] | None = None,
        on_exit: Callable[[], None] | None = None,
    ) -> None:
        super().__init__(config)
        self._watch = watch
        self._drain = drain
        self._on_exit = on_exit

    @property
    def is_draining(self) -> bool:
        return self.should_exit

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self._watch is not None and self.started:
            self._watch(self)

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
        """The first signal drains, a second one waits for nobody. Neither is the process's own end."""
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
    watch: Callable[[Server], None] | None = None,
) -> int:
    """Serve until told to stop; return the exit code.

    Parameters:
      app: the application.
      host, port: where to listen.
      request_within_s: how long a client may take to send a request, in seconds.
      sockets: where to listen instead: sockets that listen already.
      watch: called once connections are accepted.
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
        watch=watch,
        drain=getattr(app.state, "drain", None),
        on_exit=getattr(app.state, "stop_waiting", None),
    )
    server.run(sockets=None if sockets is None else list(sockets))
    opening = getattr(app.state, "opening", None)
    was_refused = opening is not None and opening.refusal is not None
    return OK if server.started and not was_refused else NO_CONNECTION
