"""A server, a way to it on which answers get lost, and BullMQ's own package beside the engine."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
from bullmq import Queue

from brokers.bullmq import BullMQBackend
from tests.support.proxy import Proxy
from tests.support.redis_server import RedisServer

OpenBackend = Callable[..., BullMQBackend]

#: Asks BullMQ's own package for something: the name of a method of its `Queue`, and arguments.
Upstream = Callable[..., Any]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with RedisServer(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def proxy(server: RedisServer) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def prefix() -> str:
    return secrets.token_hex(4)


@pytest.fixture
def open_backend(server: RedisServer, prefix: str) -> Iterator[OpenBackend]:
    """Opens one more backend on a prefix of this test's own, perhaps behind a port."""
    with ExitStack() as stack:

        def open_one(port: int | None = None, **options: Any) -> BullMQBackend:
            url = f"redis://127.0.0.1:{port or server.port}/0"
            return stack.enter_context(closing(BullMQBackend(url, prefix=prefix, **options)))

        yield open_one


@pytest.fixture
def backend(open_backend: OpenBackend) -> BullMQBackend:
    return open_backend()


@pytest.fixture
def upstream(server: RedisServer, prefix: str) -> Upstream:
    def ask(queue: str, method: str, *arguments: Any) -> Any:
        async def answer() -> Any:
            opened = Queue(queue, {"connection": server.url, "prefix": prefix})
            try:
                return await getattr(opened, method)(*arguments)
            finally:
                await opened.close()

        return asyncio.run(answer())

    return ask
