"""Clients that send a part of a request, and wait."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.fakes.twilio import FakeTwilio
from tests.support.system import PATIENCE_S, System
from tests.support.waiting import eventually

FORM = b"POST /webhooks/twilio/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
FORM += b"Content-Type: application/x-www-form-urlencoded\r\n"
UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
UPGRADE += b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
WHOLE = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio) -> Iterator[System]:
    """An API that waits for a request for half a second."""
    directory: Path = tmp_path_factory.mktemp("slow")
    with System(directory, twilio, AI_PROVIDER="echo", API_REQUEST_TIMEOUT_S="0.5") as system:
        api = system.api()
        yield system
        assert "Traceback" not in api.log
        assert "upgrade" not in api.log, "each client could fill the log"


def said_until_closed(system: System, *parts: bytes) -> bytes:
    """Send parts, each when the one before was answered or at once, and read until the server hangs up."""
    address = urlsplit(system.url)
    with closing(socket.create_connection((address.hostname, address.port), timeout=PATIENCE_S)) as line:
        for part in parts:
            line.sendall(part)
        return line.makefile("rb").read()


def statuses(answer: bytes) -> list[bytes]:
    return re.findall(rb"HTTP/1.1 ([0-9]{3})", answer)


@pytest.mark.parametrize(
    "half",
    [
        b"",
        b"\r\n",
        b"P",
        b"POST /webhooks",
        FORM,
        FORM + b"\r\n",
        FORM + b"\r\nBody=half",
    ],
    ids=[
        "nothing",
        "an empty line",
        "a letter",
        "half a line",
        "half of the headers",
        "no body",
        "half a body",
    ],
)
def test_half_a_request_is_hung_up_on(system: System, half: bytes) -> None:
    assert statuses(said_until_closed(system, half)) == [b"408"]


@pytest.mark.parametrize(
    ("half", "status"),
    [
        pytest.param(FORM + UPGRADE, b"408", id="half of the headers"),
        pytest.param(FORM + UPGRADE + b"\r\nBody=half", b"403", id="half a body"),
        pytest.param(WHOLE.removesuffix(b"\r\n") + UPGRADE + b"\r\n", b"200", id="a whole request"),
    ],
)
def test_a_request_for_an_upgrade_is_no_way_to_keep_a_connection(
    system: System, half: bytes, status: bytes
) -> None:
    """Such a request has no body, whatever its headers say."""
    assert statuses(said_until_closed(system, half)) == [status]


def test_half_a_request_after_a_whole_one_is_hung_up_on(system: System) -> None:
    assert statuses(said_until_closed(system, WHOLE + FORM)) == [b"200", b"408"]


def test_a_request_that_was_answered_before_it_was_whole_gets_no_second_answer(system: System) -> None:
    too_large = FORM.replace(b"100", b"1000000") + b"\r\n"
    assert statuses(said_until_closed(system, too_large)) == [b"413"]


def test_half_a_webhook_is_counted_and_not_stored(system: System) -> None:
    def disconnected() -> float:
        return system.metric("recado_webhooks_total", webhook="messages", outcome="disconnected")

    before = disconnected()
    said_until_closed(system, FORM + b"\r\nBody=half")
    eventually(lambda: disconnected() == before + 1)
    assert system.waiting() == 0


def test_an_answer_may_take_longer_than_a_request(system: System) -> None:
    """A stream of events does: what is told in it later comes two seconds after what is told at first."""
    with system.http.stream("GET", system.url + "/dashboard/events?of=overview") as stream:
        told = stream.iter_text()
        assert next(told).startswith("retry:")
        for _ in range(2):
            assert next(told)


def test_slow_requests_do_not_keep_others_waiting(system: System) -> None:
    address = urlsplit(system.url)
    slow = [socket.create_connection((address.hostname, address.port)) for _ in range(50)]
    for line in slow:
        line.sendall(FORM)
    assert system.webhook(system.parameters("Oi", sender=system.contact())).status_code == 200
    for line in slow:
        line.close()
