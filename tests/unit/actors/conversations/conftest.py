"""The store on a server, and a way to it on which answers get lost."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing

import pytest

from actors.conversations.redis import RedisConversationStore
from tests.support.conversations import OnServer
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def place(server: RedisServer) -> OnServer:
    """A namespace of this test's own."""
    return OnServer(server.port, secrets.token_hex(4))


@pytest.fixture
def store(place: OnServer, proxy: Proxy) -> Iterator[RedisConversationStore]:
    """A store whose answers can be lost."""
    with closing(OnServer(proxy.port, place.namespace)()) as store:
        yield store


@pytest.fixture
def other(place: OnServer) -> Iterator[RedisConversationStore]:
    """Another process's store, as it were, on the same conversations."""
    with closing(place()) as store:
        yield store
