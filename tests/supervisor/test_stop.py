"""The end of a supervisor, the wanted one and the other."""

from __future__ import annotations

import signal

from tests.support.system import PATIENCE_S
from tests.support.waiting import eventually

from .conftest import MakeStage
from .misbehaving_actors import QUEUE
from .stage import Stage

MODULE = ("--module", "tests.supervisor.misbehaving_actors")


def test_nothing_survives_a_supervisor_that_is_killed(stage: Stage) -> None:
    up = stage.up(*MODULE)
    stage.enqueue(QUEUE, "take_time", "long", 60.0)
    eventually(lambda: stage.lines("began"))
    assert len(up.processes()) == 3

    up.signal(signal.SIGKILL)

    eventually(lambda: not up.processes())  # long before the message ends


def test_a_child_that_is_just_starting_does_not_survive_either(stage: Stage) -> None:
    up = stage.begin()
    eventually(lambda: len(up.processes()) >= 2, every_s=0.001)

    up.signal(signal.SIGKILL)

    eventually(lambda: not up.processes())


def test_fifty_running_messages_are_finished_before_the_end(make_stage: MakeStage) -> None:
    stage = make_stage(WORKERS="5", WORKER_THREADS="10", DRAIN_TIMEOUT_S="40")
    up = stage.up(*MODULE)
    for number in range(55):
        stage.enqueue(QUEUE, "take_until", str(number), "they may end")
    eventually(lambda: len(stage.lines("began")) == 50, within_s=PATIENCE_S)

    up.signal(signal.SIGTERM)
    eventually(lambda: len(up.said("child told to stop")) == 6)
    (stage.directory / "they may end").touch()

    assert up.wait() == 0

    assert not up.processes()
    assert len(stage.lines("ended")) == len(stage.lines("began")) == 50
    assert stage.waiting(QUEUE) == 5
    assert not up.said("child killed")
    stopped = [line["child"] for line in up.said("child told to stop")]
    assert stopped[0] == "api-1", "first the front door"
    assert sorted(stopped[1:]) == [f"worker-{number}" for number in range(1, 6)]


def test_what_does_not_end_in_time_is_killed_and_runs_again(make_stage: MakeStage) -> None:
    stage = make_stage(DRAIN_TIMEOUT_S="4")
    up = stage.up(*MODULE)
    stage.enqueue(QUEUE, "take_time", "long", 600.0)
    stage.enqueue(QUEUE, "take_time", "short", 0.2)
    eventually(lambda: len(stage.lines("began")) == 2)

    assert up.terminate() == 1
    assert not up.processes()
    assert len(up.said("child killed", reason="did not stop in time")) == 1

    up = stage.up(*MODULE)
    eventually(lambda: stage.lines("began").count("long") == 2)
    assert stage.lines("ended") == ["short"]


def test_a_second_signal_waits_for_nothing(stage: Stage) -> None:
    up = stage.up(*MODULE)
    stage.enqueue(QUEUE, "take_time", "long", 600.0)
    eventually(lambda: stage.lines("began"))
    up.signal(signal.SIGINT)
    eventually(lambda: up.said("child told to stop", child="worker-1"))

    up.signal(signal.SIGINT)

    assert up.wait() == 1
    assert not up.processes()


def test_a_second_supervisor_on_the_same_directory_is_refused(stage: Stage) -> None:
    up = stage.up()

    other = stage.run("up")

    assert other.returncode == 4
    assert f"Another supervisor (pid {up.pid}) runs on run." in other.stderr
    assert up.is_ready()


def test_what_a_dead_supervisor_left_is_in_nobodys_way(stage: Stage) -> None:
    up = stage.up()
    up.signal(signal.SIGKILL)
    up.wait()
    eventually(lambda: not up.processes())
    assert (stage.directory / "run" / "supervisor.sock").exists()
    assert stage.run("status").returncode == 1

    up = stage.up()

    assert stage.run("status").returncode == 0


def test_wrong_settings_start_nothing_and_are_all_named(make_stage: MakeStage) -> None:
    stage = make_stage(WORKERS="4", WORKERS_MAX="2", HEARTBEAT_TIMEOUT_S="0.1", LOG_LEVEL="LOUD")

    ended = stage.run("up")

    assert ended.returncode == 2
    wrong = ("WORKERS_MAX", "HEARTBEAT_TIMEOUT_S", "LOG_LEVEL")
    assert [name for name in wrong if f"- {name}" not in ended.stderr] == []
    assert "Traceback" not in ended.stderr
    assert not (stage.directory / "run").exists()


def test_without_any_worker_it_ends_with_an_error(stage: Stage) -> None:
    up = stage.begin("--module", "no_such_module")

    assert up.wait() == 2
    assert "no_such_module" in up.log
    assert len(up.said("child FAILED: it is not started again before a reload")) == 2
    assert not up.processes()


def test_code_that_cannot_be_imported_is_not_tried_again(make_stage: MakeStage) -> None:
    stage = make_stage(AI_PROVIDER="nothing_there:responder")
    up = stage.begin()

    assert up.wait() == 2
    assert "AI_PROVIDER: nothing_there:responder cannot be imported" in up.log
    assert len(up.said("child started")) == 3


def test_an_address_that_is_taken_is_named(make_stage: MakeStage) -> None:
    stage = make_stage()
    port = stage.up().status()["supervisor"]["address"].rpartition(":")[2]

    ended = stage.run("up", API_PORT=port, RUN_DIRECTORY="another")

    assert ended.returncode == 1
    assert f"Cannot listen on 127.0.0.1:{port}: Address already in use." in ended.stderr
