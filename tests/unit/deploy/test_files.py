"""All deployment files alike: they say what Recado understands, and keep no secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import SecretStr

from ops.cli import app
from ops.foundation.settings import Settings
from ops.supervisor.control.plan import API_DRAIN_S
from tests.support.deployment import DEPLOY, UNITS, Program, programs

#: Variables that others than Recado read.
OTHERS = {"PATH", "PYTHONUNBUFFERED"}

FILES = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file() and path.suffix != ".env"]

each_program = pytest.mark.parametrize(
    "program", [pytest.param(program, id=program.where) for program in programs()]
)


def default_of(name: str) -> float:
    return float(Settings.model_fields[name].default)


@each_program
def test_every_command_is_one_with_all_its_options(program: Program) -> None:
    recado: Any = typer.main.get_command(app)
    name, *options = program.arguments
    assert recado.commands[name].make_context(name, options).info_name == name


@each_program
def test_every_variable_is_a_setting_with_a_value_it_takes(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    ours = {name: value for name, value in program.environment.items() if name not in OTHERS}
    assert [name for name in ours if name.lower() not in Settings.model_fields] == []
    left_to_the_reader = {"redis_url": "redis://redis:6379/0"}
    values: Any = left_to_the_reader | {name.lower(): value for name, value in ours.items()}
    Settings(_env_file=None, **values)


@each_program
def test_it_is_not_killed_before_what_runs_is_finished(program: Program) -> None:
    needed_s = {
        "up": default_of("drain_timeout_s"),
        "worker": default_of("message_time_limit_ms") / 1000 + default_of("hang_grace_s"),
        "api": API_DRAIN_S,
    }
    if program.where == "Dockerfile":
        assert program.grace_s is None, "Docker's own is 10 s: docs/deployment.md says to raise it"
    else:
        assert program.grace_s is not None
        assert program.grace_s > needed_s[program.arguments[0]] + program.pause_s


def test_every_kind_of_program_is_there() -> None:
    assert sorted({(program.where.split()[0], program.arguments[0]) for program in programs()}) == [
        ("Dockerfile", "up"),
        ("compose", "api"),
        ("compose", "worker"),
        ("kubernetes", "api"),
        ("kubernetes", "worker"),
        ("recado-api.service", "api"),
        ("recado-worker@.service", "worker"),
        ("recado.service", "up"),
    ]
    assert len(UNITS) == 3


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in FILES])
def test_no_file_keeps_a_secret(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\bAC[0-9a-fA-F]{32}\b|\b[0-9a-fA-F]{32,}\b|\bsk-\w+|PRIVATE KEY", text)
    assert not re.search(r"redis(s?)://[^<\s/]*:[^<\s/]*@", text.replace("<rediss://user:password@host", ""))
    secret = [
        name.upper() for name, field in Settings.model_fields.items() if SecretStr in _parts(field.annotation)
    ]
    assert "TWILIO_AUTH_TOKEN" in secret
    for name, value in re.findall(r"^\s*(?:- )?([A-Z_]+)[:=] *([^\s#]+)", text, re.MULTILINE):
        assert name not in secret or name == "REDIS_URL" or value.startswith("<"), name


def _parts(annotation: Any) -> tuple[Any, ...]:
    return getattr(annotation, "__args__", (annotation,))
