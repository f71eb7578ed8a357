"""The wall clock jumps by a day, forward or back, under what waits, runs and is being sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.model import FakeModel
from tests.fakes.twilio import FakeTwilio
from tests.support.redis_server import RedisServer
from tests.support.server_clock import ServerClock, can_be_set
from tests.support.system import ROOT, SMS_ADDRESS, System
from tests.support.waiting import eventually

#: A day, in seconds.
DAY_S = 86_400

#: A deadline, in seconds, for what takes five. It is far from a day.
PATIENCE_S = 40.0

TOKEN = re.compile(r"\bm\d{3}\b")


class Clocks:
    """The clocks of the processes, which can be set.

    Parameters:
      directory: for their files.
    """

    def __init__(self, directory: Path) -> None:
        self._files = {name: directory / f"clock-{name}" for name in ("api", "worker")}
        self.server = ServerClock(directory / "clock-server")
        for name in self._files:
            self.set(name, 0)

    def setting(self, name: str) -> dict[str, str]:
        """The environment variables of a process that goes by one."""
        return {"CLOCK_FILE": str(self._files[name])}

    def set(self, name: str, off_s: int) -> None:
        if name == "server":
            self.server.set(off_s)
            return
        file = self._files[name]
        file.with_suffix(".new").write_text(str(off_s))
        file.with_suffix(".new").rename(file)


@pytest.fixture(params=["sqlite", "redis"])
def engine(request: pytest.FixtureRequest, tmp_path: Path, clocks: Clocks) -> Iterator[Mapping[str, str]]:
    if request.param == "sqlite":
        yield {}
        return
    with RedisServer(tmp_path, environment=clocks.server.environment) as server:
        yield {"QUEUE_BACKEND": "redis", "REDIS_URL": server.url, "REDIS_HEARTBEAT_TIMEOUT_S": "1"}


@pytest.fixture
def model() -> Iterator[FakeModel]:
    def answer(request: Mapping[str, Any]) -> str:
        return " ".join(TOKEN.findall(str(request["messages"][-1]["content"])))

    with FakeModel() as model:
        model.says = answer
        yield model


@pytest.fixture
def clocks(tmp_path: Path) -> Clocks:
    return Clocks(tmp_path)


@pytest.fixture
def system(tmp_path: Path, engine: Mapping[str, str], model: FakeModel) -> Iterator[System]:
    settings = {
        "AI_API_KEY": "sk-1",
        "AI_BASE_URL": model.url,
        "AI_MODEL": "a-model",
        "AI_PROVIDER": "openai",
        "PYTHONPATH": f"{ROOT / 'tests/chaos/clocks'}:{ROOT}",
        "REPLY_GATHER_MS": "300",
        "TWILIO_SMS_PER_SECOND": "1",
    }
    with ExitStack() as stack:
        twilio = stack.enter_context(FakeTwilio())
        yield stack.enter_context(System(tmp_path, twilio, **engine, **settings))


@pytest.mark.parametrize("who", ["all", "api", "worker", pytest.param("server", marks=can_be_set)])
@pytest.mark.parametrize("off_s", [DAY_S, -DAY_S], ids=["forward", "back"])
def test_a_jump_loses_nothing_delays_nothing_and_sends_nothing_twice(
    system: System, model: FakeModel, clocks: Clocks, who: str, off_s: int
) -> None:
    if who == "server" and "REDIS_URL" not in system.settings:
        pytest.skip("there is no server")
    system.settings |= clocks.setting("api")
    system.api()
    system.settings |= clocks.setting("worker")
    system.worker()
    system.worker()
    contacts = {f"m{number:03d}": system.contact() for number in (1, 2, 7, 8, 9)}
    paced = {f"m{number:03d}": system.contact("") for number in (3, 4, 5)}

    gate = system.twilio.withhold()
    system.write("m001", sender=contacts["m001"])
    assert gate.reached.wait(20), "it is being sent"
    system.twilio.refuse(429, 20429, retry_after="2", to=contacts["m002"])
    system.write("m002", sender=contacts["m002"])  # it is to be sent again after 2 s
    for token, contact in paced.items():
        system.write(token, sender=contact, to=SMS_ADDRESS)  # they wait for their turns
    eventually(lambda: len(system.twilio.sends) >= 3)
    model.latency_s = lambda: 1.0
    asked = len(model.asked)
    system.write("m007", sender=contacts["m007"])
    eventually(lambda: len(model.asked) > asked)  # the model is at it
    system.write("m008", sender=contacts["m008"])  # the rest of a burst is waited for
    for name in ("api", "worker", "server") if who == "all" else (who,):
        clocks.set(name, off_s)
    system.write("m009", sender=contacts["m009"])
    gate.open()
    eventually(lambda: system.waiting() == 0, within_s=PATIENCE_S)

    told = told_of(system)
    got = {token: system.twilio.bodies_to(contact) for token, contact in (contacts | paced).items()}
    owed = {token: [] if contact in told else [token] for token, contact in (contacts | paced).items()}
    assert got == owed
    if who == "all" and off_s < 0:
        assert told == set(), "a machine whose clock is set back answers as before"


def told_of(system: System) -> set[str]:
    """The contacts of whom a dead letter says why they have no answer."""
    subjects = [json.loads(letter.payload)["args"][0] for letter in system.dead_letters()]
    replies = [system.conversations.reply(each) for each in subjects if isinstance(each, str)]
    return {each["From"] for each in subjects if isinstance(each, dict)} | {
        reply.contact for reply in replies if reply is not None
    }
