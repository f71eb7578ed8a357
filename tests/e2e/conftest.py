"""Systems to test: shared ones where tests do not disturb each other, and new ones where they would."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from llmock.pytest_plugin import LLMock
from llmock.testing import LLMockServer

from tests.fakes.twilio import FakeTwilio
from tests.support.redis_server import RedisServer
from tests.support.system import Program, System

#: The second auth token, while rotating, and a shared key: for webhooks signed with one of these.
OLD_TOKEN = "0123456789abcdef0123456789abcdef"
SHARED_KEY = ("webhooks_sharedkey_1", "a secret shared with Twilio")
AI_KEY = "sk-a-key-nobody-may-see"

FALLBACK = "Desculpe, não consegui responder."

MakeSystem = Callable[..., System]

#: Environment variables.
Settings = Mapping[str, str]


@pytest.fixture(scope="session")
def twilio() -> Iterator[FakeTwilio]:
    with FakeTwilio() as twilio:
        yield twilio


@pytest.fixture(scope="session")
def model_settings(llmock_server: LLMockServer) -> Settings:
    """Settings that have replies written by LLMock."""
    return {
        "AI_PROVIDER": "openai",
        "AI_BASE_URL": llmock_server.base_url("openai"),
        "AI_API_KEY": AI_KEY,
        "AI_MODEL": "a-model",
    }


@pytest.fixture(scope="session", params=["sqlite", "redis"])
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings for each engine in turn."""
    if request.param == "sqlite":
        yield {}
    else:
        with RedisServer(tmp_path_factory.mktemp("redis")) as server:
            yield {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url}


@pytest.fixture
def make_system(tmp_path: Path, twilio: FakeTwilio, engine: Settings) -> Iterator[MakeSystem]:
    """Makes a system for one test; nothing runs in it yet."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(System(tmp_path, twilio, **engine, **settings))


@pytest.fixture(scope="session")
def _front(
    tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio, model_settings: Settings, engine: Settings
) -> Iterator[tuple[System, Program]]:
    directory = tmp_path_factory.mktemp("front")
    with System(directory, twilio, MESSAGE_MAX_RETRIES="3", **model_settings, **engine) as system:
        system.settings["TWILIO_AUTH_TOKEN"] += f",{OLD_TOKEN}"
        system.settings["TWILIO_SHARED_KEYS"] = "=".join(SHARED_KEY)
        api = system.api()
        assert api.url, "it is ready: commands of tests find its files"
        yield system, api
        assert "Traceback" not in api.log


@pytest.fixture
def front(_front: tuple[System, Program], llmock: LLMock) -> Iterator[System]:
    """An API at work, and no worker: each test starts the ones it needs, and kills them as it likes."""
    system, api = _front
    yield system
    system.clear(keep=[api])


@pytest.fixture(scope="session")
def _running(
    tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio, model_settings: Settings, engine: Settings
) -> Iterator[tuple[System, list[Program]]]:
    directory = tmp_path_factory.mktemp("running")
    settings = {"MESSAGE_MAX_RETRIES": "3", "REPLY_FALLBACK_TEXT": FALLBACK, "TWILIO_TIMEOUT_S": "2"}
    with System(directory, twilio, **settings, **model_settings, **engine) as system:
        yield system, [system.api(), system.worker()]


@pytest.fixture
def running(_running: tuple[System, list[Program]], llmock: LLMock) -> Iterator[System]:
    """An API and a worker at work, a model that answers, a fallback text."""
    system, programs = _running
    yield system
    system.clear(keep=programs)
