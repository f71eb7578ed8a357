"""Answers in the API's place while no API accepts connections.

The listening socket is the supervisor's, so the kernel goes on taking connections when the API dies. They
wait for the next one, which takes a second or two. When it does not come, an answer is better than none: a
client that is told 503 can go elsewhere or try again.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Protocol

#: How long connections wait for an API that is started again, in seconds. Twilio waits for 15.
PATIENCE_S = 5.0

#: How many connections are answered at a time. The others wait in the socket's queue.
MOST = 128

#: How long a client may take to send its request and read the answer, in seconds.
CLIENT_WITHIN_S = 5.0

_BODY = b"Recado's API does not run at the moment. Try again later.\n"
ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Length: %d\r\n"
    b"Retry-After: 5\r\n"
    b"Connection: close\r\n\r\n%s"
) % (len(_BODY), _BODY)


class Watcher(Protocol):
    """Calls back when something can be read."""

    def read(self, fd: int, callback: Callable[[], object]) -> None: ...

    def forget(self, fd: int) -> None: ...


class Door:
    """Stands in for the API at the listening socket.

    Parameters:
      listener: the socket. It must not block.
      watcher: calls back when a client connects or writes.
      clock: seconds, monotonic.
      on_change: told when this begins (True) and ends (False) to answer.
    """

    def __init__(
        self,
        listener: socket.socket,
        watcher: Watcher,
        clock: Callable[[], float],
        on_change: Callable[[bool], None],
    ) -> None:
        self._listener = listener
        self._watcher = watcher
        self._clock = clock
        self._on_change = on_change
        self._accepted_at = clock()
        self._is_listening = False
        self._is_answering = False
        self._clients: dict[socket.socket, float] = {}
        self._answered: set[socket.socket] = set()

    def look(self, *, api_accepts: bool, api_is_expected: bool) -> None:
        """Begin or end to answer. To be called every second or so.

        Parameters:
          api_accepts: an API accepts connections.
          api_is_expected: one that does not may soon. Where none is, nothing is waited for.
        """
        now = self._clock()
        if api_accepts:
            self._accepted_at = now
        answering = not api_accepts and (not api_is_expected or now - self._accepted_at >= PATIENCE_S)
        if answering != self._is_answering:
            self._is_answering = answering
            self._on_change(answering)
        for client, until in list(self._clients.items()):
            if now >= until:
                self._close(client)
        self._listen(answering and len(self._clients) < MOST)

    def close(self) -> None:
        """Answer nothing more."""
        self._listen(False)
        for client in list(self._clients):
            self._close(client)

    def _listen(self, listening: bool) -> None:
        if listening != self._is_listening:
            self._is_listening = listening
            if listening:
                self._watcher.read(self._listener.fileno(), self._accept)
            else:
                self._watcher.forget(self._listener.fileno())

    def _accept(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:  # it has left, or an API was quicker
            return
        client.setblocking(False)
        self._clients[client] = self._clock() + CLIENT_WITHIN_S
        self._watcher.read(client.fileno(), lambda: self._answer(client))
        if len(self._clients) >= MOST:
            self._listen(False)

    def _answer(self, client: socket.socket) -> None:
        """Answer to the first bytes of a request, and read the rest, lest closing takes the answer back."""
        try:
            if not client.recv(65536):
                self._close(client)
            elif client not in self._answered:
                self._answered.add(client)
                client.send(ANSWER)  # it fits into the socket's buffer
                client.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            return
        except OSError:  # it has left
            self._close(client)

    def _close(self, client: socket.socket) -> None:
        del self._clients[client]
        self._answered.discard(client)
        self._watcher.forget(client.fileno())
        client.close()
