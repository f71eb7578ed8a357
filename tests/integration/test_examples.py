"""Each example runs as its README says."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.fakes.tool_calling_model import ToolCallingModel
from tests.support import plain_http
from tests.support.ports import free_port
from tests.support.redis_server import RedisServer
from tests.support.system import BIN, PATIENCE_S, ROOT
from tests.support.waiting import eventually

EXAMPLES = ROOT / "examples"


def settings(directory: Path, **more: str) -> dict[str, str]:
    """The environment of an example's programs."""
    basics = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {
        **basics,
        "API_PORT": str(free_port()),
        "LOG_FORMAT": "json",
        "METRICS_PORT": "0",
        "PYTHONPATH": f"{ROOT}:{directory}",
        "REPLY_SENDER": "console",
        "TWILIO_VALIDATE_SIGNATURES": "false",
        **more,
    }


@pytest.fixture
def copied(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of an example, to run in."""
    return Path(shutil.copytree(EXAMPLES / request.param, tmp_path / request.param))


def run(*command: str, cwd: Path, env: dict[str, str]) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@contextmanager
def running(*command: str, cwd: Path, env: dict[str, str]) -> Iterator[Path]:
    """A program at work; its log."""
    log = cwd / f"{command[1]}.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            yield log
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(PATIENCE_S)


def replies(directory: Path) -> list[str]:
    outbox = directory / "outbox.jsonl"
    return re.findall(r'"body": "([^"]*)"', outbox.read_text()) if outbox.exists() else []


def has_replied(directory: Path, count: int) -> bool:
    return len(replies(directory)) == count


def serves(env: dict[str, str]) -> bool:
    try:
        return plain_http.get(f"http://127.0.0.1:{env['API_PORT']}/readyz").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize("copied", ["broker_alone"], indirect=True)
def test_the_broker_alone(copied: Path) -> None:
    said = run(sys.executable, "main.py", cwd=copied, env=settings(copied))

    assert said.splitlines()[0] in {"Ana is reminded, once a minute at most", "3 + 4 = 7"}
    assert "5 + 6 = 11" in said
    assert "[um] [dois] [três]" in said
    assert said.count("reminded") == 1
    assert "done: 6" in said


@pytest.mark.parametrize("copied", ["own_actor"], indirect=True)
def test_an_actor_of_your_own(copied: Path) -> None:
    env = settings(copied)
    run(sys.executable, "order.py", "A-17", "2 pães", cwd=copied, env=env)
    with running(str(BIN / "recado"), "up", "--module", "my_actors", cwd=copied, env=env):
        order = copied / "orders" / "A-17.txt"
        eventually(order.exists, within_s=PATIENCE_S)

    assert order.read_text() == "2 pães"


@pytest.mark.parametrize("copied", ["own_responder"], indirect=True)
def test_a_responder_of_your_own(copied: Path) -> None:
    env = settings(copied, AI_PROVIDER="attendant:make")
    with running(str(BIN / "recado"), "up", cwd=copied, env=env):
        eventually(lambda: serves(env), within_s=PATIENCE_S)
        for text, count in (("Oi", 1), ("Meu pedido é A-17", 2), ("Cadê?", 3)):
            run(str(BIN / "recado"), "send", text, "--from", "+5511900000001", cwd=copied, env=env)
            eventually(partial(has_replied, copied, count), within_s=PATIENCE_S)

    assert replies(copied) == [
        "Qual é o número do seu pedido?",
        "Olá, cliente! O pedido A-17 saiu para entrega.",
        "Olá, cliente! O pedido A-17 saiu para entrega.",
    ]


@pytest.mark.parametrize(
    ("copied", "package"),
    [("order_status_openai_agents", "agents"), ("order_status_pydantic_ai", "pydantic_ai")],
    indirect=["copied"],
)
def test_an_agent(copied: Path, package: str) -> None:
    pytest.importorskip(package)
    with ToolCallingModel() as model:
        env = settings(copied, AI_PROVIDER="order_status:agent", **model.settings)
        with running(str(BIN / "recado"), "up", cwd=copied, env=env):
            eventually(lambda: serves(env), within_s=PATIENCE_S)
            for text, count in (("Oi", 1), ("Cadê o pedido A-17?", 2)):
                run(str(BIN / "recado"), "send", text, "--from", "+5511900000001", cwd=copied, env=env)
                eventually(partial(has_replied, copied, count), within_s=PATIENCE_S)

    assert replies(copied) == ["Qual é o número do pedido?", "O pedido saiu para entrega."]
    said = [role for role, _ in model.shown() if role != "system"]
    assert said == ["user", "assistant", "user", "assistant", "tool"]


@pytest.mark.parametrize("copied", ["two_machines"], indirect=True)
def test_two_machines(copied: Path) -> None:
    shared = dict(re.findall(r"^(\w+)=(.*)$", (copied / "machine.env").read_text(), re.MULTILINE))
    machines = [copied / "one", copied / "two"]
    (copied / "redis").mkdir()
    with RedisServer(copied / "redis") as server, ExitStack() as stack:
        for machine in machines:
            machine.mkdir()
        envs = [settings(machine, **(shared | {"REDIS_URL": server.url})) for machine in machines]
        second = stack.enter_context(
            running(str(BIN / "recado"), "worker", cwd=machines[1], env=envs[1] | {"API_PORT": "0"})
        )
        eventually(lambda: "worker started" in second.read_text(), within_s=PATIENCE_S)
        with running(str(BIN / "recado"), "api", cwd=machines[0], env=envs[0]):
            eventually(lambda: serves(envs[0]), within_s=PATIENCE_S)
            run(str(BIN / "recado"), "send", "Oi", "--from", "+5511900000001", cwd=machines[0], env=envs[0])
            eventually(lambda: replies(machines[1]), within_s=PATIENCE_S)

    assert replies(machines[1]) == ["[echo, not an AI] Oi"]
