"""One browser, and one furnished system for each engine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import Stage
from tests.support.redis_server import RedisServer
from tests.support.system import PATIENCE_S

from .chromium import chromium, executable
from .scene import furnish, scene, start


# Not for the session: Playwright keeps an event loop running in this thread, where others need their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if executable() is None:
        pytest.skip("there is no chromium on this machine: `apt-get install chromium` brings one")
    expect.set_options(timeout=PATIENCE_S * 1_000)
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="session", params=["sqlite", "redis"])
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, str]]:
    """Settings for each engine in turn."""
    if request.param == "sqlite":
        yield {}
    else:
        with RedisServer(tmp_path_factory.mktemp("redis")) as server:
            yield {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url}


@pytest.fixture(scope="module")
def stage(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, engine: Mapping[str, str]
) -> Iterator[Stage]:
    """A shop that has been open for a while. No test may leave it other than it was."""
    directory: Path = tmp_path_factory.mktemp("shop")
    with FakeTwilio() as twilio, scene(directory, twilio, **engine) as stage:
        start(stage)
        furnish(stage)
        yield stage
