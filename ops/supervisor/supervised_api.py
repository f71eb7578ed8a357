"""The API, as the supervisor runs it."""

from __future__ import annotations

import asyncio
import socket
from functools import partial

from api.app import create_app
from api.opening import Opening
from ops.foundation.settings import Settings
from ops.server import Server, run_server

from .asking import status_if_any
from .environment import Supervised
from .heartbeat import ChildState, Heartbeat
from .pulse import Pulse


def run(settings: Settings, place: Supervised) -> int:
    """Serve on the supervisor's socket until told to stop; return the exit code."""
    app = create_app(
        supervisor=partial(status_if_any, settings.run_directory),
        another_serves=place.another_serves,
    )
    watch = ApiWatch(settings, place, app.state.opening)
    return run_server(
        app,
        host=settings.api_host,
        port=settings.api_port,
        request_within_s=settings.api_request_timeout_s,
        sockets=[socket.socket(fileno=place.listen_fd)],
        watch=watch.begin,
    )


#: How much is told of why the queue cannot be opened.
MOST_CHARACTERS = 200


class ApiWatch:
    """Tells the supervisor how the API is, from within its event loop: one that is blocked says nothing.

    Parameters:
      settings: how often to tell.
      place: where to.
      opening: knows whether the queue is open.
    """

    def __init__(self, settings: Settings, place: Supervised, opening: Opening) -> None:
        self._opening = opening
        self._pulse = Pulse(place.heartbeat_fd, settings.heartbeat_interval_s, self.report)
        self._server: Server | None = None
        self._beating: asyncio.Task[None] | None = None
        self._pulse.beat()

    def begin(self, server: Server) -> None:
        """It accepts connections."""
        self._server = server
        self._beating = asyncio.get_running_loop().create_task(self._beat())

    async def _beat(self) -> None:
        while True:
            self._pulse.beat()
            await asyncio.sleep(self._pulse.interval_s)

    def report(self) -> Heartbeat:
        """How it is now."""
        server = self._server
        if server is None:
            return Heartbeat("starting")
        trouble = self._opening.trouble
        state: ChildState = "ready" if trouble is None else "unready"
        requests = server.server_state
        return Heartbeat(
            "draining" if server.is_draining else state,
            running=len(requests.tasks),
            done=requests.total_requests,
            queue_error=None if trouble is None else trouble[:MOST_CHARACTERS],
        )
