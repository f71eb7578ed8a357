"""The conversation stores under test."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from functools import cache
from pathlib import Path

import pytest

from actors.conversations import ConversationStore
from tests.support.conversations import InFile, OnServer, OnShards, OpenStore
from tests.support.redis_server import RedisServer, installed_servers

SERVERS = {Path(binary).name: binary for binary in installed_servers()}


@pytest.fixture(scope="session")
def server_of(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], RedisServer]]:
    """Starts one server of each kind, when it is first asked for."""
    with ExitStack() as stack:

        @cache
        def start(name: str) -> RedisServer:
            directory = tmp_path_factory.mktemp(name)
            return stack.enter_context(RedisServer(directory, binary=SERVERS[name]))

        yield start


@pytest.fixture(params=["sqlite", "redis-sharded", *SERVERS])
def open_store(
    request: pytest.FixtureRequest, tmp_path: Path, server_of: Callable[[str], RedisServer]
) -> OpenStore:
    """Opens the same store again and again. Another kind joins with one more name."""
    if request.param == "sqlite":
        return InFile(tmp_path / "conversations.db")
    if request.param == "redis-sharded":
        return OnShards(server_of(list(SERVERS)[-1]).port, secrets.token_hex(4))
    return OnServer(server_of(request.param).port, secrets.token_hex(4))


@pytest.fixture
def store(open_store: OpenStore) -> Iterator[ConversationStore]:
    with closing(open_store()) as store:
        yield store
