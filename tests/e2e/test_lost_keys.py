"""A Redis that was allowed to evict a key: one message suffers, its contact's shop is told, and no other."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.twilio import FakeTwilio
from tests.support.redis_server import RedisServer, ask
from tests.support.system import System
from tests.support.waiting import eventually

COUNT = 20


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    directory = tmp_path / "redis"
    directory.mkdir()
    with RedisServer(directory) as server:
        yield server


@pytest.mark.parametrize("kind", ["message", "payload"])
def test_one_of_twenty_loses_a_key(
    server: RedisServer, twilio: FakeTwilio, tmp_path: Path, kind: str
) -> None:
    with System(tmp_path, twilio, QUEUE_BACKEND="redis", REDIS_URL=server.url) as system:
        contacts = [system.contact() for _ in range(COUNT)]
        system.api()
        worker = system.worker()
        # Nothing is sent before the kill: what a worker was sending when it died is in doubt, and that is
        # another test's.
        for queue in ("messages", "replies"):
            assert system.run("queues", "pause", queue).returncode == 0
        for contact in contacts:
            system.write("Oi", sender=contact)
        base = f"{{{system.settings['REDIS_NAMESPACE']}}}"
        keys = sorted(ask(server.port, "KEYS", f"{base}:message:*"))
        lost_id = keys[COUNT // 2].decode().removeprefix(f"{base}:message:")
        loser = json.loads(ask(server.port, "GET", f"{base}:payload:{lost_id}"))["args"][0]["From"]
        assert ask(server.port, "DEL", f"{base}:{kind}:{lost_id}") == 1

        assert system.run("queues", "resume", "messages").returncode == 0
        eventually(lambda: system.waiting("replies"))
        worker.kill()
        assert system.run("queues", "resume", "replies").returncode == 0
        system.worker()
        system.settle()

        expected = {contact: int(contact != loser) for contact in contacts}
        eventually(
            lambda: {contact: len(system.twilio.sent_to(contact)) for contact in contacts} == expected,
            within_s=60,
        )
        [letter] = system.dead_letters()
        assert (letter.message_id, letter.reason) == (lost_id, "undecodable")
        assert "Redis has lost" in (letter.last_error or "")
