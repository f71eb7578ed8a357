"""The deployment files' own commands, in the files' own environments, as processes of this machine.

Only what says where things are is put elsewhere: addresses to the loopback interface, files to a folder of
the test.
"""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import Stage
from tests.support import plain_http
from tests.support.deployment import (
    INSTALLED,
    UNITS,
    Program,
    compose,
    image,
    in_image,
    pods,
    seconds,
    services,
    unit,
    units,
)
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.service_manager import ServiceManager
from tests.support.system import BIN, Api, System
from tests.support.system import Program as Process
from tests.support.waiting import eventually


class Deployment(System):
    """The programs of one deployment file."""

    def start(self, program: Program, **here: str) -> Process:
        """Start one, with the settings of the file; it is at work when this returns.

        Parameters:
          here: settings that say where things are on this machine.
        """
        settings = {**program.environment, **here}
        if program.arguments[0] == "api":
            self._api = self._start(Api, "recado", *program.arguments, **settings)
            return self._api
        worker = self._start(Process, "recado", *program.arguments, **settings)
        worker.event("worker started")
        return worker


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    """A Valkey with the options that compose.yaml gives its own."""
    (tmp_path / "redis").mkdir()
    program, *options = compose()["services"]["redis"]["command"]
    assert program == "valkey-server"
    with RedisServer(tmp_path / "redis", *options) as server:
        yield server


@pytest.mark.parametrize("programs", [services, pods], ids=["compose", "kubernetes"])
def test_api_and_worker_answer_a_webhook(
    programs: Callable[[], Iterable[Program]], redis: RedisServer, twilio: FakeTwilio, tmp_path: Path
) -> None:
    here = {
        "API_HOST": "127.0.0.1",
        "API_PORT": "0",
        "METRICS_HOST": "127.0.0.1",
        "METRICS_PORT": str(free_port()),
        "PUBLIC_BASE_URL": "https://recado.example.com",
        "REDIS_URL": redis.url,
        "SPOOL_PATH": str(tmp_path / "spool.db"),
    }
    place = {"QUEUE_BACKEND": "redis", "REDIS_URL": redis.url, "REDIS_DURABILITY": "require"}
    with Deployment(tmp_path, twilio, **place) as system:
        started = [
            # As in a container of its own: processes that share the folder show each other's metrics.
            system.start(program, **here, METRICS_DIRECTORY=str(tmp_path / program.arguments[0]))
            for program in programs()
        ]
        assert len(started) == 2

        contact = system.contact()
        system.write("Oi", sender=contact)
        system.settle()

        [message] = system.twilio.sent_to(contact)
        assert "Oi" in message.body
        assert healthy(system.url)
        assert "recado_queue_oldest_message_age_seconds" in plain_http.get(f"{system.url}/metrics").text
        page = f"http://127.0.0.1:{here['METRICS_PORT']}/metrics"
        assert "recado_queue_oldest_message_age_seconds" in eventually(lambda: answer_of(page), within_s=60)
        url = system.url
        assert [process.terminate() for process in started] == [0, 0]
        assert not healthy(url)


def test_the_image_alone_answers_a_webhook(twilio: FakeTwilio, tmp_path: Path) -> None:
    here = {"API_HOST": "127.0.0.1", "API_PORT": "0", "PATH": str(BIN)}
    program = image()
    assert program.arguments == ["up"]
    with Stage(tmp_path, twilio, WORKERS="1") as stage:
        up = stage.up(**{**program.environment, **here})
        contact = stage.contact()
        stage.write("Oi", sender=contact)
        stage.settle()

        assert len(stage.twilio.sent_to(contact)) == 1
        assert healthy(stage.url)
        up.signal(signal.Signals[in_image("STOPSIGNAL")])
        assert up.wait() == 0


def test_the_service_keeps_its_word_to_systemd(twilio: FakeTwilio, tmp_path: Path) -> None:
    """`recado.service`: its command, its reload and its watchdog, with the test in systemd's place."""
    [path] = [path for path in UNITS if path.name == "recado.service"]
    settings = unit(path)
    [program] = [program for program in units() if program.where == path.name]
    [watchdog], [reload] = settings["WatchdogSec"], settings["ExecReload"]
    with (
        ServiceManager(tmp_path / "notify") as manager,
        Stage(tmp_path, twilio, WORKERS="1", REPLY_SENDER="console") as stage,
    ):
        assert shlex.split(settings["ExecStart"][0]) == [f"{INSTALLED}recado", *program.arguments]
        up = stage.begin(
            *program.arguments[1:],
            **program.environment,
            NOTIFY_SOCKET=str(tmp_path / "notify"),
            WATCHDOG_USEC=str(int(seconds(watchdog) * 1_000_000)),
        )
        manager.wait_for("READY=1")
        assert any(line.startswith("WATCHDOG=1") for line in manager.told)
        subprocess.run(shlex.split(reload.replace("$MAINPID", str(up.pid))), check=True)
        manager.wait_for("RELOADING=1")
        manager.wait_for("READY=1")
        up.signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert up.wait() == 0


def healthy(url: str) -> bool:
    """What the image's HEALTHCHECK says of the API at this address."""
    python, *arguments = json.loads(in_image("HEALTHCHECK").partition("CMD ")[2])
    assert python == "python"
    asked = [argument.replace("http://127.0.0.1:8000", url) for argument in arguments]
    assert asked != arguments
    return (
        subprocess.run([sys.executable, *asked], capture_output=True, timeout=60, check=False).returncode == 0
    )


def answer_of(url: str) -> str:
    """The page, or nothing while nobody listens."""
    try:
        return plain_http.get(url).text
    except httpx.TransportError:
        return ""
