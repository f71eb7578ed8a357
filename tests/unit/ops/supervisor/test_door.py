"""While no API accepts connections the supervisor answers them."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator

import pytest

from ops.supervisor import door as door_module
from ops.supervisor.door import PATIENCE_S, Door
from ops.supervisor.listener import listen
from ops.supervisor.loop import Loop


class Place:
    """A door, a clock that is set by hand, and a loop that turns in the thread of the test."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.changes: list[bool] = []
        self.listener = listen("127.0.0.1", 0)
        self.listener.setblocking(False)
        self.loop = Loop([])
        self.door = Door(self.listener, self.loop, lambda: self.now, self.changes.append)

    def look(self, *, api_accepts: bool = False, api_is_expected: bool = True) -> None:
        self.door.look(api_accepts=api_accepts, api_is_expected=api_is_expected)

    def answer(self) -> tuple[int, str]:
        """What a client is told that connects and posts now."""
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
        """Whether a client that connects now is left waiting."""
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
    place.door.close()
    place.loop.close()
    place.listener.close()


def test_connections_wait_for_an_api_that_is_started_again(place: Place) -> None:
    place.look(api_accepts=True)
    place.now += PATIENCE_S - 0.1
    place.look()
    assert place.waits()
    assert place.changes == []


def test_they_are_told_503_when_none_comes(place: Place) -> None:
    place.look(api_accepts=True)
    place.now += PATIENCE_S
    place.look()
    for _ in range(3):
        status, text = place.answer()
        assert (status, "does not run" in text) == (503, True)
    assert place.changes == [True]


def test_nothing_is_waited_for_where_no_api_will_come(place: Place) -> None:
    place.look(api_accepts=True)
    place.look(api_is_expected=False)
    assert place.answer()[0] == 503


def test_an_api_that_accepts_has_the_door_to_itself(place: Place) -> None:
    place.now += PATIENCE_S
    place.look()
    place.look(api_accepts=True)
    assert place.waits()
    assert place.changes == [True, False]


def test_a_client_that_says_nothing_is_not_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door_module, "MOST", 2)
    place.now += PATIENCE_S
    place.look()
    silent = [socket.create_connection(place.listener.getsockname()[:2]) for _ in range(2)]
    for _ in silent:
        place.loop.wait(1.0)
    assert place.waits(), "there are as many as are answered at a time"

    place.now += door_module.CLIENT_WITHIN_S
    place.look()
    place.look()
    assert place.answer()[0] == 503
    for each in silent:
        each.close()
