"""The deployment files, read: what each of them runs, with what around it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]

DEPLOY = ROOT / "ops" / "deploy"
DOCKERFILE = DEPLOY / "docker" / "Dockerfile"
COMPOSE = DEPLOY / "docker" / "compose.yaml"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))

#: Where docs/deployment.md puts the code on a machine that systemd runs.
INSTALLED = "/opt/recado/.venv/bin/"

_SECONDS = {"s": 1, "m": 60, "": 1}


@dataclass(frozen=True)
class Program:
    """A `recado` that a file runs.

    Attributes:
      where: the file, and the name in it.
      arguments: after `recado`.
      environment: what the file itself sets, beside secrets and what is left to the reader.
      grace_s: how long it may take to stop; None where the file does not say.
      pause_s: how much of that passes before it is told to.
    """

    where: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    grace_s: float | None = None
    pause_s: float = 0.0


def programs() -> list[Program]:
    """Every `recado` in the deployment files."""
    return [image(), *services(), *units(), *pods()]


# -- Docker --------------------------------------------------------------------------------------------


def stages() -> list[list[tuple[str, str]]]:
    """The Dockerfile's stages, each a list of instructions with what follows; ARGs before the first apart."""
    lines = [line for line in DOCKERFILE.read_text().splitlines() if not line.startswith("#")]
    instructions = [
        (line.split(maxsplit=1)[0], line.split(maxsplit=1)[1])
        for line in re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
        if line
    ]
    found: list[list[tuple[str, str]]] = []
    for instruction in instructions:
        if instruction[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(instruction)
    return found


def in_image(instruction: str) -> str:
    """What follows this instruction in the image's stage, where it is there once."""
    [rest] = [rest for name, rest in stages()[-1] if name == instruction]
    return rest


def image() -> Program:
    """What the image runs when nothing else is said."""
    environment = dict(pair.split("=", 1) for pair in shlex.split(in_image("ENV")))
    entry_point, command = json.loads(in_image("ENTRYPOINT")), json.loads(in_image("CMD"))
    assert entry_point == ["recado"]
    return Program("Dockerfile", command, environment)


def compose() -> dict[str, Any]:
    """The compose file."""
    read: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    return read


def services() -> Iterator[Program]:
    """What the compose file runs in the image."""
    for name, service in compose()["services"].items():
        if "build" in service:
            environment = {key: str(value) for key, value in service["environment"].items()}
            grace_s = seconds(service["stop_grace_period"])
            yield Program(f"compose {name}", service["command"], environment, grace_s)


# -- systemd -------------------------------------------------------------------------------------------


def unit(path: Path) -> dict[str, list[str]]:
    """A unit's settings: each may be there several times."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            found.setdefault(name, []).append(value)
    return found


def units() -> Iterator[Program]:
    """What the units run."""
    for path in UNITS:
        settings = unit(path)
        [command], [grace] = settings["ExecStart"], settings["TimeoutStopSec"]
        program, *arguments = shlex.split(command)
        assert program == f"{INSTALLED}recado"
        environment = dict(pair.split("=", 1) for pair in settings.get("Environment", []))
        yield Program(path.name, arguments, environment, seconds(grace))


# -- Kubernetes ----------------------------------------------------------------------------------------


def resources() -> list[dict[str, Any]]:
    """Everything in the manifests, but for what only kustomize reads."""
    read = [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text())]
    return [document for document in read if document["kind"] != "Kustomization"]


def resource(kind: str, name: str) -> dict[str, Any]:
    """The one of this kind and name."""
    [found] = [it for it in resources() if (it["kind"], it["metadata"]["name"]) == (kind, name)]
    return found


def workloads() -> list[dict[str, Any]]:
    """What makes pods."""
    return [it for it in resources() if "template" in it.get("spec", {})]


def pods() -> Iterator[Program]:
    """What the pods run."""
    for workload in workloads():
        pod = workload["spec"]["template"]["spec"]
        [container] = pod["containers"]
        environment: dict[str, str] = {}
        for source in container["envFrom"]:
            if "configMapRef" in source:
                environment |= resource("ConfigMap", source["configMapRef"]["name"])["data"]
        environment |= {variable["name"]: variable["value"] for variable in container["env"]}
        yield Program(
            f"kubernetes {workload['metadata']['name']}",
            container["args"],
            environment,
            pod["terminationGracePeriodSeconds"],
            container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0),
        )


def seconds(text: str) -> float:
    """A duration as Docker and systemd write it: 30s, 180."""
    match = re.fullmatch(r"(\d+)(s|m|)", text)
    assert match is not None, text
    return int(match[1]) * _SECONDS[match[2]]
