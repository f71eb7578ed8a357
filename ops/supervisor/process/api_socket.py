"""The API's listening socket, which belongs to the supervisor, and the answers on it while no API accepts.

The kernel goes on taking connections when the API dies. They wait for the next API, which takes a second or
two. When no API comes, the supervisor answers 503: that client can try another server, or try again later.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from ..errors import CannotListen
from .event_loop import ReadWatcher

#: How many connections may wait while no API accepts them. The kernel's own limit may be lower.
BACKLOG = 2048

#: How long connections wait for an API that is started again, in seconds. Twilio waits for 15.
WAIT_FOR_API_S = 5.0

#: How many connections are answered at a time. Further ones wait in the socket's backlog.
MAX_CLIENTS = 128

#: How long a client may take to send its request and read the answer, in seconds.
CLIENT_TIMEOUT_S = 5.0

_BODY = b"Recado's API does not run at the moment. Try again later.\n"
ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Retry-After: 5\r\n"
    b"Connection: close\r\n\r\n%s"
) % (len(_BODY), _BODY)


def listen(host: str, port: int) -> socket.socket:
    """Listen on an address. Connections wait until an API accepts them.

    Raises:
      CannotListen: the address is taken, or none of this machine's.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise CannotListen(host, port, error) from error


def url_of(listener: socket.socket) -> str:
    """Return the URL of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class FallbackServer:
    """Answers every request with 503 while no API accepts connections.

    Parameters:
      listener: the listening socket. It must not block.
      watcher: calls back when a client connects or writes.
      clock: returns seconds of a monotonic clock.
      on_change: called with True when this server begins to answer, with False when it ends.
    """

    def __init__(
        self,
        listener: socket.socket,
        watcher: ReadWatcher,
        clock: Callable[[], float],
        on_change: Callable[[bool], None],
    ) -> None:
        self._listener = listener
        self._watcher = watcher
        self._clock = clock
        self._on_change = on_change
        self._api_accepted_at = clock()
        self._is_listening = False
        self._is_answering = False
        self._deadlines: dict[socket.socket, float] = {}
        self._answered: set[socket.socket] = set()

    def update(self, *, api_accepts: bool, api_is_expected: bool) -> None:
        """Begin or end to answer. The caller calls this about once a second.

        Parameters:
          api_accepts: whether an API accepts connections.
          api_is_expected: whether an API that does not accept them is going to. If none is, clients are
            answered at once.
        """
        now = self._clock()
        if api_accepts:
            self._api_accepted_at = now
        waited_s = now - self._api_accepted_at
        answering = not api_accepts and (not api_is_expected or waited_s >= WAIT_FOR_API_S)
        if answering != self._is_answering:
            self._is_answering = answering
            self._on_change(answering)
        for client, deadline in list(self._deadlines.items()):
            if now >= deadline:
                self._close(client)
        self._listen(answering and len(self._deadlines) < MAX_CLIENTS)

    def close(self) -> None:
        """End to answer, and close all connections."""
        self._listen(False)
        for client in list(self._deadlines):
            self._close(client)

    def _listen(self, listening: bool) -> None:
        if listening != self._is_listening:
            self._is_listening = listening
            if listening:
                self._watcher.watch_reads(self._listener.fileno(), self._accept)
            else:
                self._watcher.unwatch(self._listener.fileno())

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:  # the client has left, or an API has accepted the connection
            return
        client.setblocking(False)
        self._deadlines[client] = self._clock() + CLIENT_TIMEOUT_S
        self._watcher.watch_reads(client.fileno(), lambda: self._answer(client))
        if len(self._deadlines) >= MAX_CLIENTS:
            self._listen(False)

    def _answer(self, client: socket.socket) -> None:
        """Answer the first bytes of a request, and read the rest.

        A socket that is closed with unread bytes resets the connection, and the client may lose the answer.
        """
        try:
            if not client.recv(65536):
                self._close(client)
            elif client not in self._answered:
                self._answered.add(client)
                client.send(ANSWER)  # the answer fits into the socket's buffer
                client.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:  # the client has left
            self._close(client)

    def _close(self, client: socket.socket) -> None:
        del self._deadlines[client]
        self._answered.discard(client)
        self._watcher.unwatch(client.fileno())
        client.close()
