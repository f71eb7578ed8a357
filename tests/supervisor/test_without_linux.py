"""The promises of the supervisor where the kernel is not Linux, such as on macOS."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.support.system import ROOT
from tests.support.waiting import eventually

from .conftest import MakeStage
from .misbehaving_actors import QUEUE
from .stage import Stage, Up, kill

#: Checks, from within a worker, that everything which only Linux has is hidden.
IS_HIDDEN = """
import ctypes, os
from pathlib import Path
assert not hasattr(os, "waitid") and not Path("/proc/self/statm").exists()
try:
    ctypes.CDLL(None).prctl
except AttributeError:
    pass
else:
    raise AssertionError("prctl is there")
"""


@pytest.fixture
def stage(make_stage: MakeStage) -> Stage:
    stage = make_stage(PYTHONPATH=f"{Path(__file__).parent / 'without_linux'}{os.pathsep}{ROOT}")
    (stage.directory / "is_hidden.py").write_text(IS_HIDDEN)
    return stage


def start(stage: Stage) -> Up:
    return stage.up("--module", "tests.supervisor.misbehaving_actors", "--module", "is_hidden")


def test_a_killed_worker_is_replaced_and_its_messages_run_again(stage: Stage) -> None:
    up = start(stage)
    before = up.pids()
    for number in range(16):
        stage.enqueue(QUEUE, "take_time", str(number), 1.0)
    eventually(lambda: len(stage.lines("began")) == 16)

    kill(before["worker-1"])
    stage.settle()

    assert sorted(set(stage.lines("ended")), key=int) == [str(number) for number in range(16)]
    up.wait_until_ready()
    after = up.children()
    assert after["worker-1"]["pid"] != before["worker-1"]
    assert (after["worker-1"]["restarts"], after["worker-1"]["last_end"]) == (1, "SIGKILL")
    assert {name: after[name]["pid"] for name in ("api-1", "worker-2")} == {
        name: before[name] for name in ("api-1", "worker-2")
    }
    assert up.terminate() == 0
    assert not up.processes()


def test_what_a_child_started_does_not_outlive_it(stage: Stage) -> None:
    (stage.directory / "families.py").write_text("import subprocess\nsubprocess.Popen(['sleep', '600'])\n")
    up = stage.up("--module", "families")
    assert len(up.processes()) == 5

    kill(up.pids()["worker-1"])
    eventually(lambda: up.children()["worker-1"]["restarts"] == 1)
    up.wait_until_ready()

    eventually(lambda: len(up.processes()) == 5)
    assert up.terminate() == 0
    assert not up.processes()


def test_nothing_survives_a_supervisor_that_is_killed(stage: Stage) -> None:
    up = start(stage)

    up.signal(signal.SIGKILL)

    eventually(lambda: not up.processes(), within_s=15)
