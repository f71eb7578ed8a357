"""A way to a server on which answers get lost."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from socketserver import BaseRequestHandler, ThreadingTCPServer


class Proxy(ThreadingTCPServer):
    """Passes on what clients tell a server, and what it answers, until the `with` block ends.

    Parameters:
      port: where the server listens, on the loopback interface.

    Attributes:
      port: where the proxy does.
    """

    request_queue_size = 128

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Line)
        self.port: int = self.server_address[1]
        self.server_port = port
        self.loss: Loss | None = None
        self._ends: set[socket.socket] = set()

    @contextmanager
    def losing_answers_to(
        self, word: str, *, times: int = 1, meanwhile: Callable[[], object] = lambda: None
    ) -> Iterator[None]:
        """While inside, break a connection when the server has done what it was told and is about to say so.

        Fails when no answer was lost.

        Parameters:
          word: what the command contains: its name, or a script's SHA.
          times: how many answers are lost.
          meanwhile: called each time, when the command is done and nobody knows.
        """
        loss = self.loss = Loss(word.encode(), times, meanwhile)
        try:
            yield
        finally:
            self.loss = None
        if loss.error is not None:
            raise loss.error
        assert loss.count, f"nobody asked for {word}"

    def __enter__(self) -> Proxy:
        threading.Thread(target=self.serve_forever, args=(0.01,), name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        for end in list(self._ends):
            _hang_up(end)
        self.server_close()  # waits for the lines

    @contextmanager
    def open_until_closed(self, *ends: socket.socket) -> Iterator[None]:
        """Inside, the ends of a line are hung up should the proxy be closed."""
        self._ends.update(ends)
        try:
            yield
        finally:
            self._ends.difference_update(ends)


class Loss:
    """What is to be lost.

    Attributes:
      count: how many answers were.
      error: what went wrong meanwhile.
    """

    def __init__(self, word: bytes, times: int, meanwhile: Callable[[], object]) -> None:
        self.word = word
        self.count = 0
        self.error: Exception | None = None
        self._times = times
        self._meanwhile = meanwhile
        self._counting = threading.Lock()

    def takes(self, answer: bytes) -> bool:
        """Whether this answer is one to be lost, after what has to happen meanwhile."""
        if answer.startswith(b"-NOSCRIPT"):
            return False  # it did nothing yet, and will be asked again
        with self._counting:
            if self.count == self._times:
                return False
            self.count += 1
        try:
            self._meanwhile()
        except Exception as error:  # noqa: BLE001  it is the test's to see
            self.error = error
        return True


class _Line(BaseRequestHandler):
    """One client's connection. Each answer is taken to be that to the request before it."""

    server: Proxy
    request: socket.socket

    def handle(self) -> None:
        try:
            self._upstream = socket.create_connection(("127.0.0.1", self.server.server_port))
        except OSError:
            return  # the server is away, and so are we
        self._loss: Loss | None = None
        with self._upstream, self.server.open_until_closed(self.request, self._upstream):
            back = threading.Thread(target=self._pass_back, name="proxy-back", daemon=True)
            back.start()
            self._pass_on()
            _hang_up(self._upstream)
            back.join()

    def _pass_on(self) -> None:
        tail = b""
        with suppress(OSError):
            while request := self.request.recv(1 << 16):
                loss = self.server.loss
                if loss is not None:
                    said = tail + request  # a word may come in two pieces
                    if loss.word in said:
                        self._loss = loss
                    tail = said[1 - len(loss.word) :]
                self._upstream.sendall(request)

    def _pass_back(self) -> None:
        with suppress(OSError):
            while answer := self._upstream.recv(1 << 16):
                loss, self._loss = self._loss, None
                if loss is not None and loss.takes(answer):
                    break
                self.request.sendall(answer)
        _hang_up(self.request)


def _hang_up(end: socket.socket) -> None:
    with suppress(OSError):  # it is gone already
        end.shutdown(socket.SHUT_RDWR)
