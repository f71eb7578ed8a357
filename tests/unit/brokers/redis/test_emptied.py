"""A server that was emptied: it is told, once by each process, and all goes on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from brokers.errors import EngineError
from tests.support.redis_server import RedisServer, ask
from tests.support.waiting import eventually

from .conftest import OpenBackend


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The levels of the lines that say so."""
    return [line.levelname for line in caplog.records if "Redis has lost all" in line.getMessage()]


def test_the_next_check_tells_it_and_the_one_after_is_well(
    tmp_path: Path, open_backend: OpenBackend, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisServer(tmp_path) as server:
        backend = open_backend(server.port)
        backend.check(timeout_s=10)
        backend.check(timeout_s=10)
        ask(server.port, "FLUSHALL")

        with pytest.raises(EngineError, match="Redis has lost all that Recado kept there: it was emptied"):
            backend.check(timeout_s=10)
        backend.check(timeout_s=10)
        assert told(caplog) == ["ERROR"]
        backend.close()


def test_a_server_that_was_restarted_on_its_file_was_not_emptied(
    tmp_path: Path, open_backend: OpenBackend
) -> None:
    with RedisServer(tmp_path) as server:
        backend = open_backend(server.port)
        backend.check(timeout_s=10)
        server.kill()
        server.start()
        backend.check(timeout_s=10)
        backend.close()


def test_a_worker_tells_it_and_not_that_it_was_silent(
    tmp_path: Path, open_backend: OpenBackend, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    with RedisServer(tmp_path) as server:
        backend = open_backend(server.port, heartbeat_timeout_s=1)
        backend.dequeue("messages", limit=1, timeout_s=0)  # from here on there are heartbeats
        ask(server.port, "FLUSHALL")
        eventually(lambda: told(caplog))
        assert not [line for line in caplog.records if "was silent" in line.getMessage()]
        backend.close()
