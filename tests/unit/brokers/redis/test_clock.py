"""A server whose clock is set back keeps no delayed message waiting for longer, and no dead process alive."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator

import pytest

from brokers.redis import RedisBackend
from tests.support.messages import QUEUE, claimable, claimed, stored
from tests.support.redis_server import RedisServer, ask
from tests.support.server_clock import ServerClock, can_be_set
from tests.support.waiting import eventually

from .conftest import OpenBackend

pytestmark = can_be_set

HOUR_S = 3_600

#: More than how long a test takes, and less than the clock is set.
A_WHILE_MS = 600_000

#: After how many seconds of silence a process of this machine is dead, and one of another.
SILENT_S, SILENT_ELSEWHERE_S = 600, 2_400


@pytest.fixture(scope="module")
def its_clock(tmp_path_factory: pytest.TempPathFactory) -> ServerClock:
    return ServerClock(tmp_path_factory.mktemp("clock") / "clock")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, its_clock: ServerClock) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("server"), environment=its_clock.environment) as server:
        yield server


class Clock:
    """The clock of a server: once it is set, the server goes by it, which keeps a time for a moment."""

    def __init__(self, server: RedisServer, clock: ServerClock) -> None:
        self._server = server
        self._clock = clock

    def set(self, off_s: int) -> None:
        self._clock.set(off_s)
        eventually(lambda: abs(ask(self._server.port, "TIME")[0] - time.time() - off_s) < 10)


@pytest.fixture
def clock(server: RedisServer, its_clock: ServerClock) -> Clock:
    clock = Clock(server, its_clock)
    clock.set(0)
    return clock


@pytest.fixture
def backend(open_backend: OpenBackend, server: RedisServer) -> RedisBackend:
    """A process whose heart beats only when a test has it beat."""
    return open_backend(server.port, heartbeat_timeout_s=SILENT_S)


def beat(backend: RedisBackend) -> None:
    backend._session().heartbeat.beat()


def waits_ms(backend: RedisBackend, message_id: str) -> int:
    """For how long a message is still to wait."""
    message = backend.get(message_id)
    assert message is not None
    assert message.state == "delayed"
    [stats] = backend.stats()
    assert stats.counted_at is not None
    return message.due_at - stats.counted_at


def test_a_delay_is_as_long_as_before(
    backend: RedisBackend, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    beat(backend)
    message_id = stored(backend, delay_ms=A_WHILE_MS)
    clock.set(-HOUR_S)
    with caplog.at_level(logging.WARNING):
        beat(backend)

    assert 0 < waits_ms(backend, message_id) <= A_WHILE_MS + 10_000
    assert "Redis's clock was set back: 1 delayed message(s) follow it" in caplog.text
    caplog.clear()
    beat(backend)
    assert caplog.text == ""


def test_a_retry_of_a_message_that_came_in_long_ago_waits_no_longer(
    backend: RedisBackend, clock: Clock
) -> None:
    message_id = stored(backend, waited_ms=5 * HOUR_S * 1_000)
    delivery = claimed(backend)
    backend.retry(delivery, queue=QUEUE, payload=delivery.payload, delay_ms=A_WHILE_MS, error=None)
    clock.set(-HOUR_S)
    beat(backend)

    assert 0 < waits_ms(backend, message_id) <= A_WHILE_MS + 10_000


def test_what_was_due_by_the_former_clock_is_due(backend: RedisBackend, clock: Clock) -> None:
    message_id = stored(backend, delay_ms=HOUR_S * 1_000)
    clock.set(2 * HOUR_S)
    beat(backend)
    clock.set(0)
    beat(backend)

    assert claimable(backend) == [message_id]


def test_a_delay_by_the_new_clock_is_kept(backend: RedisBackend, clock: Clock) -> None:
    before = stored(backend, delay_ms=A_WHILE_MS)
    clock.set(-HOUR_S)
    longer, shorter = (stored(backend, delay_ms=ms) for ms in (2 * HOUR_S * 1_000, A_WHILE_MS))
    beat(backend)

    assert 0 < waits_ms(backend, before) <= A_WHILE_MS + 10_000
    assert HOUR_S * 1_000 < waits_ms(backend, longer) <= 2 * HOUR_S * 1_000
    assert 0 < waits_ms(backend, shorter) <= A_WHILE_MS


def test_many_keep_their_order(backend: RedisBackend, clock: Clock) -> None:
    now = stored(backend)
    message_ids = [stored(backend, delay_ms=A_WHILE_MS + 1_000 * number) for number in range(1_203)]
    clock.set(-HOUR_S)
    beat(backend)

    waits = [waits_ms(backend, message_id) for message_id in message_ids[::100]]
    assert waits == sorted(waits)
    assert waits[-1] <= A_WHILE_MS + 1_203_000 + 10_000
    assert claimable(backend) == [now]
    clock.set(-HOUR_S + A_WHILE_MS // 1_000 + 1_300)
    assert claimable(backend, limit=2_000) == message_ids


def test_a_clock_that_is_set_forward_changes_nothing(backend: RedisBackend, clock: Clock) -> None:
    beat(backend)
    message_id = stored(backend, delay_ms=2 * HOUR_S * 1_000)
    clock.set(HOUR_S)
    beat(backend)

    assert waits_ms(backend, message_id) <= HOUR_S * 1_000


def test_a_process_that_died_before_is_found_dead(
    backend: RedisBackend, open_backend: OpenBackend, server: RedisServer, clock: Clock
) -> None:
    dead = open_backend(server.port, heartbeat_timeout_s=SILENT_S)
    message_id = stored(dead)
    claimed(dead)
    _is_elsewhere(dead)
    clock.set(-HOUR_S)
    beat(backend)
    clock.set(-HOUR_S + SILENT_ELSEWHERE_S + 100)  # which is not as late as when its heart beat last
    beat(backend)

    assert claimable(backend) == [message_id]


def _is_elsewhere(backend: RedisBackend) -> None:
    """Have a process count as one of another machine, of which no kernel can be asked."""
    session = backend._session()
    key = f"{backend._database.base}:process:{session.owner}"
    backend._database.server.ask([("HSET", key, "host", "elsewhere")])
