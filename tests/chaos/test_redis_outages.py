"""Redis goes away under load: every webhook is taken in time, and answered once when it is back.

`make chaos LONG=1` runs this with 200 webhooks a second and a minute of each outage; other runs are shorter.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from tests.fakes.twilio import FakeTwilio
from tests.support.redis_server import RedisServer, ask
from tests.support.system import System
from tests.support.traffic import Traffic
from tests.support.waiting import eventually

PER_S = int(os.environ.get("CHAOS_PER_S", "40"))
OUTAGE_S = float(os.environ.get("CHAOS_OUTAGE_S", "5"))

#: After so many seconds a webhook goes to the spool.
SPOOL_AFTER_S = 0.5

#: Everything that came in has to be answered, too: a backlog of minutes, on a machine that does other things.
ANSWERED_WITHIN_S = 60.0 + 20 * OUTAGE_S


@contextmanager
def stopped(server: RedisServer) -> Iterator[None]:
    """It keeps its connections, and does not answer."""
    server.stop()
    yield
    server.go_on()


@contextmanager
def killed(server: RedisServer) -> Iterator[None]:
    """It is gone, and comes back on its files."""
    server.kill()
    yield
    server.start()


@contextmanager
def full(server: RedisServer) -> Iterator[None]:
    """It has no memory left for anything new."""
    ask(server.port, "CONFIG", "SET", "maxmemory", "1mb")
    yield
    ask(server.port, "CONFIG", "SET", "maxmemory", "0")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with RedisServer(tmp_path) as server:
        yield server


@pytest.fixture
def system(tmp_path: Path, server: RedisServer) -> Iterator[System]:
    settings = {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url, "REPLY_SENDER": "console"}
    settings |= {"REDIS_HEARTBEAT_TIMEOUT_S": "15", "MESSAGE_MIN_BACKOFF_MS": "1000"}
    settings |= {"SPOOL_AFTER_S": str(SPOOL_AFTER_S)}
    with FakeTwilio() as twilio, System(tmp_path, twilio, **settings) as system:
        yield system


@pytest.mark.parametrize("outage", [stopped, killed, full])
def test_every_webhook_is_taken_and_answered_once(
    system: System, server: RedisServer, outage: Callable[[RedisServer], AbstractContextManager[None]]
) -> None:
    api = system.api()
    workers = [system.worker() for _ in range(2)]

    with Traffic(system.url, system.settings["TWILIO_AUTH_TOKEN"], per_s=PER_S) as load:
        until_sent(load, seconds=2)
        with outage(server):
            until_sent(load, seconds=OUTAGE_S)
            until_none_is_left(load)
        until_sent(load, seconds=2)

    assert load.answers() == {200: len(load.sent)}
    eventually(lambda: system.metric("recado_spool_messages") == 0, within_s=ANSWERED_WITHIN_S, every_s=0.5)
    eventually(lambda: system.waiting() == 0, within_s=ANSWERED_WITHIN_S, every_s=0.5)
    times = replies(system)
    assert times.keys() == load.accepted()
    assert set(times.values()) == {1}
    assert system.dead_letters() == []
    assert all(program.is_alive() for program in (api, *workers)), "nobody had to be started again"


def until_sent(load: Traffic, *, seconds: float) -> None:
    """Until so many seconds' worth of webhooks were answered."""
    wanted = len(load.sent) + int(seconds * PER_S)
    eventually(lambda: len(load.sent) >= wanted, within_s=60 + 2 * seconds, every_s=0.05)


def until_none_is_left(load: Traffic) -> None:
    """Until the newest webhook that was answered, and each before it, has its answer: none waits for more."""
    newest = max(one.number for one in load.sent)
    eventually(lambda: {one.number for one in load.sent} >= set(range(1, newest + 1)))


def replies(system: System) -> Mapping[str, int]:
    """How often each contact was answered."""
    lines = Path(system.settings["CONSOLE_OUTBOX_PATH"]).read_text().splitlines()
    return Counter(json.loads(line)["to"] for line in lines)
