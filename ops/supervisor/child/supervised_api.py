"""The API, as the supervisor runs it."""

from __future__ import annotations

import asyncio
import socket
from functools import partial

from api.app import create_app
from api.opening import Opening
from ops.foundation.settings import Settings
from ops.server import Server, run_server

from ..protocol.child_environment import ChildEnvironment
from ..protocol.heartbeat import ChildState, Heartbeat
from ..status.status_client import fetch_status_if_any
from .heartbeat_sender import HeartbeatSender

#: How much of a queue error fits into a heartbeat, in characters.
MAX_ERROR_CHARACTERS = 200


def run(settings: Settings, place: ChildEnvironment) -> int:
    """Serve on the supervisor's socket until told to stop; return the exit code."""
    app = create_app(
        supervisor=partial(fetch_status_if_any, settings.run_directory),
        another_serves=place.another_serves,
    )
    reporter = ApiReporter(settings, place, app.state.opening)
    return run_server(
        app,
        host=settings.api_host,
        port=settings.api_port,
        request_within_s=settings.api_request_timeout_s,
        sockets=[socket.socket(fileno=place.listen_fd)],
        on_accepting=reporter.start,
    )


class ApiReporter:
    """Sends the API's heartbeats from its event loop: an API whose event loop is blocked goes silent.

    Parameters:
      settings: the interval of the heartbeats.
      place: the pipe for heartbeats.
      opening: knows whether the queue is open.
    """

    def __init__(self, settings: Settings, place: ChildEnvironment, opening: Opening) -> None:
        self._opening = opening
        self._heartbeats = HeartbeatSender(place.heartbeat_fd, settings.heartbeat_interval_s, self.report)
        self._server: Server | None = None
        self._sending: asyncio.Task[None] | None = None
        self._heartbeats.send()

    def start(self, server: Server) -> None:
        """Send heartbeats from now on. The server accepts connections."""
        self._server = server
        self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while True:
            self._heartbeats.send()
            await asyncio.sleep(self._heartbeats.interval_s)

    def report(self) -> Heartbeat:
        """Return the state of the API."""
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
            queue_error=None if trouble is None else trouble[:MAX_ERROR_CHARACTERS],
        )
