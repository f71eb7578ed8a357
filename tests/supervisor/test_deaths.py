"""A child dies. Another is there soon, the rest notices nothing, and no message is lost."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.waiting import eventually

from .conftest import MakeStage
from .misbehaving_actors import QUEUE
from .stage import Stage, kill

MODULE = ("--module", "tests.supervisor.misbehaving_actors")

#: The longest that a child's first restart is put off, in seconds.
FIRST_PAUSE_S = 0.5


@pytest.mark.parametrize("victim", ["api-1", "worker-1"])
def test_whichever_child_is_killed_another_is_there_soon(stage: Stage, victim: str) -> None:
    """How soon is what the supervisor says: whether it keeps to that is tried with a simulated clock."""
    up = stage.up()
    before = up.pids()

    kill(before[victim])

    eventually(lambda: len(up.said("child started", child=victim)) == 2)
    [died] = up.said("child died: it is started again", child=victim)
    assert died["restart_in_s"] <= FIRST_PAUSE_S
    up.wait_until_ready()
    after = up.children()
    assert after[victim]["pid"] != before[victim]
    assert (after[victim]["restarts"], after[victim]["last_end"]) == (1, "SIGKILL")
    others = before.keys() - {victim}
    assert {name: after[name]["pid"] for name in others} == {name: before[name] for name in others}


def test_the_messages_of_a_killed_worker_run_again(stage: Stage) -> None:
    up = stage.up(*MODULE)
    for number in range(16):
        stage.enqueue(QUEUE, "take_until", str(number), "they may end")
    eventually(lambda: len(stage.lines("began")) == 16)

    kill(up.pids()["worker-1"])
    eventually(lambda: len(stage.lines("began")) > 16)
    (stage.directory / "they may end").touch()
    stage.settle()

    assert sorted(set(stage.lines("ended")), key=int) == [str(number) for number in range(16)]
    assert len(stage.lines("ended")) == 16


def test_a_worker_that_dies_again_and_again_is_given_up_and_the_rest_goes_on(make_stage: MakeStage) -> None:
    stage = make_stage()
    up = stage.up()
    others = {name: pid for name, pid in up.pids().items() if name != "worker-1"}

    def kill_it() -> bool:
        child = up.children()["worker-1"]
        if child["pid"] is not None and child["state"] == "ready":
            kill(child["pid"])
        return bool(child["state"] == "failed")

    eventually(kill_it, within_s=120, every_s=0.1)

    child = up.children()["worker-1"]
    assert child["restarts"] == 5
    assert child["failed"].startswith("more than 5 restarts in 60 s")
    pauses = [line["restart_in_s"] for line in up.said("child died: it is started again")]
    assert [pause <= 0.5 * 2**number for number, pause in enumerate(pauses)] == [True] * 5
    assert {name: up.pids()[name] for name in others} == others
    stage.write("Oi", sender=stage.contact())
    stage.settle()
    assert len(stage.replies()) == 1
    assert up.terminate() == 0


def test_a_reload_gives_a_failed_child_another_chance(make_stage: MakeStage) -> None:
    stage = make_stage(WORKERS="1")
    (stage.directory / "sometimes.py").write_text("from pathlib import Path\nPath('there').read_text()\n")
    (stage.directory / "there").touch()
    up = stage.up("--module", "sometimes", WORKERS="2")
    (stage.directory / "there").unlink()
    kill(up.pids()["worker-2"])
    eventually(lambda: up.children()["worker-2"]["state"] == "failed")
    assert "settings or imports are wrong" in up.children()["worker-2"]["failed"]
    assert up.children()["worker-1"]["state"] == "ready"

    (stage.directory / "there").touch()
    up.signal(signal.SIGHUP)

    eventually(lambda: up.said("reload done"), within_s=60)
    up.wait_until_ready()
    assert len(up.pids("worker")) == 2


def test_a_stopped_worker_is_noticed_and_replaced(make_stage: MakeStage) -> None:
    stage = make_stage(HEARTBEAT_TIMEOUT_S="3")
    up = stage.up(*MODULE)
    before = up.pids()
    stage.enqueue(QUEUE, "take_until", "held", "it may end")

    def holders() -> list[str]:
        return [name for name, child in up.children("worker").items() if child["running"]]

    [holder] = eventually(holders)

    os.kill(before[holder], signal.SIGSTOP)

    eventually(lambda: up.said("child killed", child=holder), within_s=30)
    up.wait_until_ready()
    child = up.children()[holder]
    assert child["pid"] != before[holder]
    assert child["last_end"].startswith("SIGKILL (hung: no heartbeat for ")
    (stage.directory / "it may end").touch()
    stage.settle()
    assert stage.lines("ended") == ["held"]
    assert {name: pid for name, pid in up.pids().items() if name != holder} == {
        name: pid for name, pid in before.items() if name != holder
    }


def test_an_api_that_hangs_is_noticed_and_replaced(make_stage: MakeStage) -> None:
    stage = make_stage(HEARTBEAT_TIMEOUT_S="3")
    up = stage.up()
    before = up.pids()

    os.kill(before["api-1"], signal.SIGSTOP)

    eventually(lambda: up.said("child killed", child="api-1"), within_s=30)
    up.wait_until_ready()
    assert up.children()["api-1"]["last_end"].startswith("SIGKILL (hung: no heartbeat for ")
    assert up.pids("worker") == {name: pid for name, pid in before.items() if name.startswith("worker")}
    stage.write("Oi", sender=stage.contact())
    stage.settle()
    assert len(stage.replies()) == 1
