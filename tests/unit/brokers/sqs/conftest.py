"""An SQS to try the engine on, with queues of each test's own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest

from brokers.sqs import SQSBackend
from tests.support.sqs_server import AWS, REGION, SQSServer

OpenBackend = Callable[..., SQSBackend]


@pytest.fixture(scope="session")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SQSServer]:
    with SQSServer(tmp_path_factory.mktemp("sqs")) as server:
        yield server


@pytest.fixture
def namespace() -> str:
    return f"test-{uuid.uuid4().hex[:8]}"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in AWS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def open_backend(sqs: SQSServer, namespace: str) -> Iterator[OpenBackend]:
    """Opens one more backend on the test's queues. It polls for one second."""
    with ExitStack() as stack:

        def open_one(**options: Any) -> SQSBackend:
            defaults = {"region": REGION, "endpoint_url": sqs.url, "namespace": namespace, "poll_s": 1}
            return stack.enter_context(closing(SQSBackend(**{**defaults, **options})))

        yield open_one


@pytest.fixture
def backend(open_backend: OpenBackend) -> SQSBackend:
    return open_backend()
