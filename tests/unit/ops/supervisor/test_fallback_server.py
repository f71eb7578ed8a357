"""While no API accepts connections the supervisor answers them."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from ops.supervisor.process import api_socket
from ops.supervisor.process.api_socket import WAIT_FOR_API_S, FallbackServer, listen
from ops.supervisor.process.event_loop import EventLoop


class Place:
    """A fallback server, a clock that is set by hand, and a loop that turns in the thread of the test."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.changes: list[bool] = []
        self.listener = listen("127.0.0.1", 0)
        self.listener.setblocking(False)
        self.loop = EventLoop([])
        self.fallback = FallbackServer(self.listener, self.loop, lambda: self.now, self.changes.append)

    def update(self, *, api_accepts: bool = False, api_is_expected: bool = True) -> None:
        self.fallback.update(api_accepts=api_accepts, api_is_expected=api_is_expected)

    def answer(self) -> tuple[int, str]:
        """Connect and post; return the status and the text of the answer."""
        told: list[tuple[int, str]] = []
        client = threading.Thread(target=lambda: told.append(self._post()))
        client.start()
        while client.is_alive():
            self.loop.wait(0.01)
        return told[0]

    def _post(self) -> tuple[int, str]:
        host, port = self.listener.getsockname()[:2]
        connection = http.client.HTTPConnection(host, port, timeout=30)
        connection.request("POST", "/webhooks/twilio/messages", body=b"x" * 300_000)
        response = connection.getresponse()
        text = response.read().decode()
        connection.close()
        return response.status, text

    def waits(self) -> bool:
        """Connect; return whether the client is left waiting."""
        with socket.create_connection(self.listener.getsockname()[:2]) as client:
            client.sendall(b"GET / HTTP/1.1\r\n\r\n")
            client.settimeout(0.05)
            self.loop.wait(0.05)
            self.loop.wait(0.05)
            try:
                client.recv(1)
            except TimeoutError:
                return True
        return False


@pytest.fixture
def place() -> Iterator[Place]:
    place = Place()
    yield place
    place.fallback.close()
    place.loop.close()
    place.listener.close()


def test_connections_wait_for_an_api_that_is_started_again(place: Place) -> None:
    place.update(api_accepts=True)
    place.now += WAIT_FOR_API_S - 0.1
    place.update()
    assert place.waits()
    assert place.changes == []


def test_they_are_told_503_when_none_comes(place: Place) -> None:
    place.update(api_accepts=True)
    place.now += WAIT_FOR_API_S
    place.update()
    for _ in range(3):
        status, text = place.answer()
        assert (status, "does not run" in text) == (503, True)
    assert place.changes == [True]


def test_nothing_is_waited_for_where_no_api_will_come(place: Place) -> None:
    place.update(api_accepts=True)
    place.update(api_is_expected=False)
    assert place.answer()[0] == 503


def test_an_api_that_accepts_has_the_socket_to_itself(place: Place) -> None:
    place.now += WAIT_FOR_API_S
    place.update()
    place.update(api_accepts=True)
    assert place.waits()
    assert place.changes == [True, False]


def test_a_client_that_says_nothing_is_not_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_socket, "MAX_CLIENTS", 2)
    place.now += WAIT_FOR_API_S
    place.update()
    silent = [socket.create_connection(place.listener.getsockname()[:2]) for _ in range(2)]
    for _ in silent:
        place.loop.wait(1.0)
    assert place.waits(), "there are as many as are answered at a time"

    place.now += api_socket.CLIENT_TIMEOUT_S
    place.update()
    place.update()
    assert place.answer()[0] == 503
    for each in silent:
        each.close()
