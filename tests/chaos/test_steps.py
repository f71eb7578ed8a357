"""A process is killed, is stopped, or fails at each step: the contact is answered once, or told of.

What is seen is what docs/messages.md says: its table is written from `tests/chaos/steps/points.py`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fakes.model import FakeModel
from tests.fakes.twilio import FakeTwilio
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.system import System
from tests.support.waiting import eventually
from tests.tiers import ROOT

from .steps.cases import PATIENCE_S, Case, answer, transcribe
from .steps.points import HOWS, POINTS, How

#: How long a stopped process stays so, in seconds: longer than it takes others to look for the dead, and, on
#: Redis, longer than a heartbeat may take.
STOPPED_S = 1.5

#: How many workers there are where none is killed: there all points are tried at once.
SEVERAL = 3


@pytest.fixture(params=["sqlite", "redis"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mapping[str, str]]:
    if request.param == "sqlite":
        yield {}
        return
    with RedisServer(tmp_path) as server:
        yield {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url, "REDIS_HEARTBEAT_TIMEOUT_S": "1"}


@pytest.fixture
def model() -> Iterator[FakeModel]:
    with FakeModel() as model:
        model.says, model.hears = answer, transcribe
        yield model


@pytest.fixture
def system(tmp_path: Path, engine: Mapping[str, str], model: FakeModel) -> Iterator[System]:
    orders = tmp_path / "orders"
    orders.mkdir()
    settings = {
        "AI_API_KEY": "sk-1",
        "AI_BASE_URL": model.url,
        "AI_MODEL": "a-model",
        "AI_PROVIDER": "openai",
        "AI_TRANSCRIBE_MODEL": "a-listener",
        "API_PORT": str(free_port()),
        "QUEUE_MAX_DELIVERIES": "10",
        "REPLY_GATHER_MS": "100",
        "REPLY_RECONCILE_DELAYS_S": "0",
        "STEP_ORDERS": str(orders),
        "STEP_STOPPED_S": str(STOPPED_S),
        "TWILIO_SMS_PER_SECOND": "20",
    }
    with ExitStack() as stack:
        twilio = stack.enter_context(FakeTwilio())
        yield stack.enter_context(System(tmp_path, twilio, **engine, **settings))


@pytest.mark.parametrize("how", HOWS)
def test_what_comes_of_each_step_is_what_the_document_says(
    system: System, model: FakeModel, how: How
) -> None:
    system.module("tests.chaos.steps.program", str(1 if how == "killed" else SEVERAL))
    url = f"http://127.0.0.1:{system.settings['API_PORT']}"
    tried = {name: point for name, point in POINTS.items() if point.can_fail or how != "fails"}
    cases = [
        Case(system, model, url, point=name, how=how, number=number)
        for number, name in enumerate(tried, start=100)
    ]
    for each in cases:
        each.begin()
        if how == "killed":  # one at a time: a process that dies takes along what else it does
            eventually(each.is_through, within_s=PATIENCE_S)
            system.settle()
    for each in cases:
        eventually(each.is_through, within_s=PATIENCE_S)
    system.settle()
    seen = dict(zip(tried, [each.seen() for each in cases], strict=True))
    assert seen == {name: point.outcome(how) for name, point in tried.items()}


def test_nothing_of_this_is_in_the_wheel() -> None:
    """What is installed has no way to be told to die: neither these hooks, nor the faults for the judge."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    of_tests = re.compile(r"STEP_ORDERS|JUDGE_FAULT|POWER_CUTS|^\s*(?:from|import) tests\b", re.MULTILINE)
    files = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    assert len(files) > 300
    assert "tests" not in packages
    assert [path for path in files if of_tests.search(path.read_text())] == []
