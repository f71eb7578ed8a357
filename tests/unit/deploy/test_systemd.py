"""The units: by systemd's own word, where there is a systemd."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.deployment import INSTALLED, UNITS, unit
from tests.support.system import BIN

ANALYZE = shutil.which("systemd-analyze")

needs_systemd = pytest.mark.skipif(
    ANALYZE is None, reason="no systemd-analyze: Debian's package systemd has it"
)
each_unit = pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in UNITS])

#: The highest exposure that `systemd-analyze security` may find, of 10; it is given in tenths.
MOST_EXPOSED = 15


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert ANALYZE is not None
    command = [ANALYZE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def installed(path: Path, folder: Path, right: str = "", wrong: str = "") -> Path:
    """A unit as it would be installed here: its program is where this environment has it."""
    text = path.read_text()
    assert right in text
    copy = folder / path.name
    copy.write_text(text.replace(INSTALLED, f"{BIN}/").replace(right, wrong or right))
    return copy


@needs_systemd
@each_unit
def test_systemd_has_nothing_to_say(path: Path, tmp_path: Path) -> None:
    verified = analyze("verify", "--man=no", str(installed(path, tmp_path)))
    about_it = [line for line in verified.stderr.splitlines() if path.name in line]  # not of other units here
    assert (verified.returncode, about_it) == (0, [])


@needs_systemd
@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("KillMode=mixed", "KillMode=some"),
        ("WatchdogSec", "WatchDogSec"),
        ("bin/recado up", "bin/recadoo up"),
    ],
)
def test_systemd_would_say_something(right: str, wrong: str, tmp_path: Path) -> None:
    [path] = [path for path in UNITS if path.name == "recado.service"]
    verified = analyze("verify", "--man=no", str(installed(path, tmp_path, right, wrong)))
    assert path.name in verified.stderr


@needs_systemd
@each_unit
def test_little_is_exposed(path: Path, tmp_path: Path) -> None:
    copy = installed(path, tmp_path)
    rated = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", "--no-pager", str(copy))
    assert rated.returncode == 0, rated.stdout


def test_all_units_are_confined_alike() -> None:
    confined = {
        re.search(r"# It needs its directory.*?(?=\[Install\])", path.read_text(), re.DOTALL)
        for path in UNITS
    }
    texts = {match[0] if match else None for match in confined}
    assert len(texts) == 1
    assert None not in texts


@each_unit
def test_a_unit_is_stopped_in_order_and_started_again(path: Path) -> None:
    settings = unit(path)
    assert settings["KillMode"] == ["mixed"], "a second SIGTERM means: stop at once"
    assert settings["Restart"][0] in {"always", "on-failure"}
    assert settings["StartLimitIntervalSec"] == ["0"]
    assert settings["RestartPreventExitStatus"] == ["2"], "wrong settings"
    assert settings["WorkingDirectory"] == ["/var/lib/" + settings["StateDirectory"][0]]


def test_the_supervisor_says_how_it_is_and_the_others_cannot() -> None:
    types = {path.name: unit(path)["Type"] for path in UNITS}
    assert types == {
        "recado-api.service": ["exec"],
        "recado-worker@.service": ["exec"],
        "recado.service": ["notify"],
    }
