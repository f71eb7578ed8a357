"""A child dies. Another is there soon, the rest notices nothing, and no message is lost."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.support.waiting import eventually

from .conftest import MakeStage
from .misbehaving_actors import QUEUE
from .stage import Stage, Up, kill

MODULE = ("--module", "tests.supervisor.misbehaving_actors")

#: The promised time until a new process is there, and until it is ready, in seconds; and a factor for a
#: machine that does more than this test.
STARTED_WITHIN_S, READY_WITHIN_S = 1.0, 5.0
LOADED = 3.0


def started_after(up: Up, name: str, pid: int) -> float:
    """Return how long after a child's death the supervisor logs the start of the next one, in seconds."""

    def look() -> dict[str, object] | None:
        started = [line for line in up.said("child started", child=name) if line["pid"] != pid]
        return started[-1] if started else None

    began = time.monotonic()
    eventually(look)
    return time.monotonic() - began


@pytest.mark.parametrize("victim", ["api-1", "worker-1"])
def test_whichever_child_is_killed_another_is_there_within_a_second(stage: Stage, victim: str) -> None:
    up = stage.up()
    before = up.pids()

    kill(before[victim])

    assert started_after(up, victim, before[victim]) < STARTED_WITHIN_S * LOADED
    up.wait_until_ready(within_s=READY_WITHIN_S * LOADED)
    after = up.children()
    assert after[victim]["pid"] != before[victim]
    assert (after[victim]["restarts"], after[victim]["last_end"]) == (1, "SIGKILL")
    others = before.keys() - {victim}
    assert {name: after[name]["pid"] for name in others} == {name: before[name] for name in others}


def test_the_messages_of_a_killed_worker_run_again(stage: Stage) -> None:
    up = stage.up(*MODULE)
    for number in range(16):
        stage.enqueue(QUEUE, "take_time", str(number), 1.0)
    eventually(lambda: len(stage.lines("began")) == 16)
    busy = [child["pid"] for child in up.children("worker").values() if child["running"]]

    kill(busy[0])
    stage.settle()

    assert sorted(set(stage.lines("ended")), key=int) == [str(number) for number in range(16)]
    assert len(stage.lines("ended")) == 16
    assert len(stage.lines("began")) > 16


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
    stage.enqueue(QUEUE, "take_time", "held", 2.0)
    eventually(lambda: stage.lines("began"))
    holder = next(name for name, child in up.children("worker").items() if child["running"])

    os.kill(before[holder], signal.SIGSTOP)

    eventually(lambda: up.said("child killed", child=holder), within_s=30)
    up.wait_until_ready()
    child = up.children()[holder]
    assert child["pid"] != before[holder]
    assert child["last_end"].startswith("SIGKILL (hung: no heartbeat for ")
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
