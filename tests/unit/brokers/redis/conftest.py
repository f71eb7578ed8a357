"""A server, and a way to it on which answers get lost."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from brokers.redis import RedisBackend
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer

OpenBackend = Callable[..., RedisBackend]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def open_backend() -> Iterator[OpenBackend]:
    """Opens one more backend on a store of this test's own, behind a port."""
    namespace = secrets.token_hex(4)
    with ExitStack() as stack:

        def open_one(port: int, **options: Any) -> RedisBackend:
            backend = RedisBackend(f"redis://127.0.0.1:{port}/0", namespace=namespace, **options)
            return stack.enter_context(closing(backend))

        yield open_one


@pytest.fixture
def backend(open_backend: OpenBackend, proxy: Proxy) -> RedisBackend:
    """A backend whose answers can be lost."""
    return open_backend(proxy.port)


@pytest.fixture
def other(open_backend: OpenBackend, server: RedisServer) -> RedisBackend:
    """Another process's backend, as it were, on the same store."""
    return open_backend(server.port)
