"""The image and the compose file: linted, and what a linter cannot know."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.deployment import COMPOSE, DEPLOY, DOCKERFILE, ROOT, compose, in_image, stages
from tests.support.system import BIN

#: Folders that a container gets whole: once one is there, all that is asked of it has to be.
MOUNTED = (ROOT / "ops" / "prometheus", ROOT / "ops" / "grafana")


def hadolint(file: Path) -> subprocess.CompletedProcess[str]:
    command = [str(BIN / "hadolint"), "--failure-threshold", "style", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def check_compose(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


# -- the image -----------------------------------------------------------------------------------------


def test_the_linter_has_nothing_to_say() -> None:
    assert hadolint(DOCKERFILE).stdout == ""


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("WORKDIR /data", "WORKDIR data"),
        ('CMD ["up"]', "CMD up"),
        ("--mode 0700 /data", "--mode $MODE /data"),
    ],
)
def test_the_linter_would_say_something(right: str, wrong: str, tmp_path: Path) -> None:
    text = DOCKERFILE.read_text()
    assert right in text
    changed = tmp_path / "Dockerfile"
    changed.write_text(text.replace(right, wrong))
    assert hadolint(changed).returncode != 0


def test_the_image_runs_as_a_user_with_a_fixed_number_that_owns_the_data() -> None:
    user = re.fullmatch(r"(\d+):(\d+)", in_image("USER"))
    assert user is not None
    assert int(user[1]) > 0
    [made] = [rest for name, rest in stages()[-1] if name == "RUN"]
    assert f"useradd --uid {user[1]} " in made
    assert f"groupadd --gid {user[2]} " in made
    assert "install --directory --owner recado" in made
    assert made.endswith(in_image("VOLUME"))
    assert in_image("WORKDIR") == in_image("VOLUME")


def test_nothing_is_installed_in_the_image_itself() -> None:
    """What builds it stays in the other stage, and there is no compiler even there."""
    build, final = stages()
    assert [rest.split()[0] for name, rest in final if name == "COPY"] == ["--from=build"]
    assert not re.search(r"\b(pip|apt-get|curl)\b", " ".join(rest for name, rest in final if name == "RUN"))
    installs = re.findall(
        r"pip [^&]*\binstall\b[^&]*", " ".join(rest for name, rest in build if name == "RUN")
    )
    assert len(installs) == 2
    for install in installs:
        assert "--constraint constraints.txt" in install
    assert "--only-binary :all:" in installs[-1]


def test_process_1_gets_the_signal() -> None:
    """No shell between: every command is a JSON array."""
    for instruction in ("ENTRYPOINT", "CMD"):
        assert isinstance(json.loads(in_image(instruction)), list)
    assert isinstance(json.loads(in_image("HEALTHCHECK").partition("CMD ")[2]), list)
    assert in_image("STOPSIGNAL") == "SIGTERM"


def test_the_build_sees_what_it_copies_and_nothing_else() -> None:
    copied = {source for name, rest in stages()[0] if name == "COPY" for source in rest.split()[:-1]}
    patterns = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in {"", "#"}
    ]
    assert patterns[0] == "*"
    assert {pattern.strip("!/") for pattern in patterns if pattern.startswith("!")} == copied
    assert [source for source in copied if not (ROOT / source).exists()] == []


# -- the compose file ----------------------------------------------------------------------------------


def test_the_compose_file_is_one() -> None:
    checked = check_compose(COMPOSE)
    assert checked.returncode == 0, checked.stdout


@pytest.mark.parametrize(
    ("right", "wrong"), [("stop_grace_period:", "stop_grace:"), ("init: true", "init: [true]")]
)
def test_a_compose_file_that_is_none_is_found_out(right: str, wrong: str, tmp_path: Path) -> None:
    changed = tmp_path / "compose.yaml"
    changed.write_text(COMPOSE.read_text().replace(right, wrong))
    assert check_compose(changed).returncode != 0


def test_docker_takes_the_compose_file(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no docker with compose on this machine")
    folder = tmp_path / "ops" / "deploy" / "docker"
    folder.mkdir(parents=True)
    shutil.copy(COMPOSE, folder)
    for name in ("recado.env", "grafana.env"):
        (folder / name).touch()
    command = [docker, "compose", "--file", str(folder / "compose.yaml"), "config", "--quiet"]
    taken = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert taken.returncode == 0, taken.stderr


def test_only_the_webhooks_are_published_and_only_to_this_machine() -> None:
    published = {
        name: service["ports"] for name, service in compose()["services"].items() if "ports" in service
    }
    assert published == {"api": ["127.0.0.1:8000:8000"]}


def test_redis_loses_nothing_and_is_reached_by_recado_alone() -> None:
    services = compose()["services"]
    command = services["redis"]["command"]
    options = dict(zip(command[1::2], command[2::2], strict=True))
    assert options["--appendonly"] == "yes"
    assert options["--appendfsync"] == "always"
    assert options["--maxmemory-policy"] == "noeviction"
    assert services["redis"]["volumes"] == ["redis:/data"]
    assert compose()["networks"]["queue"] == {"internal": True}
    assert {name for name, service in services.items() if "queue" in service.get("networks", ())} == {
        "api",
        "worker",
        "redis",
    }


def test_what_is_mounted_is_there_and_cannot_be_written() -> None:
    named = set(compose()["volumes"])
    for service in compose()["services"].values():
        for volume in service.get("volumes", ()):
            source, target, *options = volume.split(":")
            if source in named:
                continue
            path = (COMPOSE.parent / source).resolve()
            assert options == ["ro"], volume
            assert target.startswith("/"), volume
            assert path.exists() or any(
                path.is_relative_to(folder) and not folder.exists() for folder in MOUNTED
            ), volume


def test_volumes_belong_to_the_images_user() -> None:
    [data] = [tmpfs for tmpfs in compose()["services"]["worker"]["tmpfs"] if tmpfs.startswith("/data")]
    uid, gid = in_image("USER").split(":")
    assert data == f"/data:uid={uid},gid={gid},mode=0700"


def test_secrets_come_from_files_that_git_does_not_see() -> None:
    files = {file for service in compose()["services"].values() for file in service.get("env_file", ())}
    assert files == {"recado.env", "grafana.env"}
    command = ["git", "check-ignore", *(str(DEPLOY / "docker" / file) for file in files)]
    ignored = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert len(ignored.stdout.splitlines()) == 2


def test_bullmqs_file_changes_the_engine_and_nothing_else() -> None:
    overlay = yaml.safe_load((DEPLOY / "docker" / "compose.bullmq.yaml").read_text())
    own = compose()["services"]
    for name, changed in overlay["services"].items():
        assert set(changed) == {"build", "environment"}
        assert changed["build"] == {"args": {"EXTRAS": "[bullmq]"}}
        assert changed["environment"] == {"QUEUE_BACKEND": "bullmq", "BULLMQ_PREFIX": "bull"}
        assert own[name]["environment"]["QUEUE_BACKEND"] == "redis", "what it is laid over"
    assert set(overlay["services"]) == {"api", "worker"}
