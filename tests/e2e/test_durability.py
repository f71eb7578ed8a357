"""A server that cannot keep what is required of it is refused, by whoever would rely on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.twilio import FakeTwilio
from tests.support.redis_server import RedisServer
from tests.support.system import System


@pytest.fixture
def system(tmp_path: Path, twilio: FakeTwilio) -> Iterator[System]:
    """On a server without a file, with one required."""
    with RedisServer(tmp_path, "--appendonly", "no") as server:
        settings = {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url, "REDIS_DURABILITY": "require"}
        with System(tmp_path, twilio, **settings) as system:
            yield system


@pytest.mark.parametrize(("command", "code"), [("api", 3), ("worker", 2)])
def test_it_does_not_start(system: System, command: str, code: int) -> None:
    ended = system.run(command)

    assert ended.returncode == code, ended.stderr
    assert "appendonly yes" in ended.stderr
    assert "worker started" not in ended.stderr
